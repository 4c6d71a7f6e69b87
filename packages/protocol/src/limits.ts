/**
 * Limits that both ends rely on. No message exceeds `maxMessageBytes` in either direction, however long the history:
 * after a long absence, a client reads many messages rather than one that no socket accepts.
 */
export const limits = {
  /** The largest value of a property, as JSON, in bytes of UTF-8. */
  maxValueBytes: 512 * 1024,
  /** The deepest nesting of arrays and objects in a value. A flat object has depth 1. */
  maxValueDepth: 64,
  /** The longest key of a property, in UTF-16 code units. */
  maxKeyLength: 128,
  /** The size of a batch that writers aim at, in bytes: a second or two on a bad phone connection. */
  batchBudgetBytes: 256 * 1024,
  /** The smallest page that a client may ask for, in bytes. */
  minPageBytes: 4 * 1024,
  /** The largest batch that readers accept, in bytes. The largest single operation fits. */
  maxBatchBytes: 640 * 1024,
  /** The most operations in one batch. It bounds the memory that decoding a small, hostile message can take. */
  maxBatchOps: 20_000,
  /** The largest Socket.io message, envelope included, in bytes. */
  maxMessageBytes: 1_000_000,
  /** How far the clock of an operation may be above the highest clock of its tree. */
  clockWindow: 1_000_000,
  /** The largest presence state or transient value, as JSON, in bytes of UTF-8. */
  maxTransientBytes: 64 * 1024,
  /** The most transient changes in one message. */
  maxTransientChanges: 100,
  /** The most passkeys of an account: browsers are told of all of them. */
  maxPasskeys: 20,
  /** The most members of a space. All of them fit into one seal. */
  maxMembers: 500,
  /** The longest seal, in characters. */
  maxSealLength: 600_000,
  /** The most commits that a page or an append tells of. A page ends before it would have more. */
  maxCommitsPerPage: 1_000,
  /** The most entries that a page of a list over HTTP may be asked for. */
  maxPageEntries: 1_000,
  /** The most vertices that a report of a divergence names. */
  maxReportedVertices: 50,
} as const
