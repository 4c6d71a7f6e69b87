/**
 * Bounds that both ends rely on. A message never exceeds `maxMessageBytes` in either direction,
 * whatever the history: that is what keeps a long absence from ending in a frame that no socket takes.
 */
export const limits = {
  /** A property's value as JSON text, in UTF-8 bytes. */
  maxValueBytes: 512 * 1024,
  /** Nesting of arrays and objects in a value; `1` is a flat object. */
  maxValueDepth: 64,
  /** A property's key, in UTF-16 code units. */
  maxKeyLength: 128,
  /** What a writer of batches aims at: a page takes a second or two on a bad phone connection. */
  batchBudgetBytes: 256 * 1024,
  /** The smallest page that may be asked for. */
  minPageBytes: 4 * 1024,
  /** What a reader of batches accepts: one value near its limit always fits. */
  maxBatchBytes: 640 * 1024,
  /** Operations in one batch; bounds what decoding a small hostile message can allocate. */
  maxBatchOps: 20_000,
  /** One Socket.io message, envelope included. */
  maxMessageBytes: 1_000_000,
  /** How far above a tree's highest clock an operation's clock may be. */
  clockWindow: 1_000_000,
  /** A presence state or a transient change as JSON text, in UTF-8 bytes. */
  maxTransientBytes: 64 * 1024,
  /** Transient changes in one message. */
  maxTransientChanges: 100,
  /** Vertices that a report of a divergence names. */
  maxReportedVertices: 50,
} as const
