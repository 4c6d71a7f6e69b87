import type {
  Commit,
  Epoch,
  LogId,
  SpaceId,
  SpaceIdentity,
  SpaceSeal,
  TreeId,
  TreeOperation,
  UserId,
} from '@t69/protocol'

import type { Segment } from './segment.ts'

/** Names a vertex within a space. */
export type VertexName = Pick<TreeOperation, 'treeId' | 'targetId'>

/** How far a device has followed a log: SPEC.md, "Log and cursor". */
export interface LogPosition {
  readonly logId: LogId
  readonly epoch?: Epoch | undefined
  readonly cursor: number
}

/** Whose log it is, and who was in the space when that was kept in it. */
export interface KeptAccess extends SpaceSeal {
  readonly identity: SpaceIdentity
}

/** Positions `after + 1` to `cursor`. */
export interface LogRange {
  readonly after: number
  readonly cursor: number
}

/** Operations that one user commits. */
export interface Contribution {
  readonly userId: UserId
  readonly ops: readonly TreeOperation[]
}

export interface PageBounds {
  readonly maxOps: number
  /** Bytes of values as JSON text, plus a few for each operation. Reading stops above it. */
  readonly maxBytes: number
}

/**
 * One space's log: operations in the order in which they were committed, numbered from 1. Every method is
 * synchronous and throws `SyncError` `storage_failed` when the medium fails.
 */
export interface OpLog {
  readonly logId: LogId
  /** The position of the newest operation; 0 in an empty log. */
  readonly head: number
  /** The epoch of the newest operation; the process's own in an empty log. */
  readonly epoch: Epoch
  /** Whether nothing can be written to it: see `OpLogs.open`. */
  readonly isReadOnly: boolean
  /** About how many bytes the log takes where it is kept. */
  readonly bytes: number
  /** As many or more, as of when the log was checked or written last. Costs nothing. */
  readonly bytesAtMost: number

  /** Whose log it is, and who was in its space when that was kept last; undefined before the first time. */
  readonly access: KeptAccess | undefined
  /** Keeps it, durably, instead of what was kept before. */
  keepAccess(access: KeptAccess): void

  /** Whether the log still has everything that `position` covers. */
  holds(position: LogPosition): boolean
  /** Gives the log a new id, durably. Positions that others hold of it are void from then on. */
  renewLogId(): LogId

  /**
   * Checks a part of what finds operations by their ids, and tells whether all of it was since the log was opened. What is left
   * is checked at once before the first answer to `compare`, `lookUp`, `maxClock` or `wasDeleted`: some 1 µs an operation.
   */
  checkRows(): boolean
  /**
   * Tells whether an operation with this id is in the log, with the same content or another. The cost follows from
   * the size of `op`, not from that of the operation in the log; if that is settled, its segment is read.
   */
  compare(op: TreeOperation): 'absent' | 'same' | 'other'
  /**
   * The same of many, without those that are absent. Reads each segment once, in whatever order the operations come: the port
   * is asked so about what arrives together.
   */
  lookUp(ops: readonly TreeOperation[]): ReadonlyMap<TreeOperation, 'same' | 'other'>
  /**
   * The operations in groups, for whoever looks many up in steps: all of one group take one segment at most, which takes some
   * 2 ms to read.
   */
  readTogether(ops: readonly TreeOperation[]): readonly (readonly TreeOperation[])[]
  /** Whether an operation in the log deletes the vertex. Another one may have brought it back since. */
  wasDeleted(vertex: VertexName): boolean
  /** The highest clock in a tree; 0 for an unknown tree. */
  maxClock(treeId: TreeId): number
  /**
   * Appends operations whose ids are not in the log, in this order, in one transaction with who commits them. Durable
   * when it returns (the implementation's setting says against what). Throws on an id that is in the log. After
   * `storage_failed` the operations may be in the log all the same, which shows once it is opened again.
   *
   * `now` is the time in Unix milliseconds. It is kept once for each minute in which one user commits: `at` has, for each
   * contribution, the time that was kept. For one without operations, it is `now`.
   */
  append(contributions: readonly Contribution[], now: number): LogRange & { readonly at: readonly number[] }
  /**
   * Who committed the operations in the range, and when: the first entry begins at `range.after`, each later one where
   * another user or minute does. At most `atMost` entries. Empty for an empty range.
   */
  commits(range: LogRange, atMost: number): Commit[]

  /** The segment that has position `after + 1`; undefined where operations are not settled. */
  segmentAt(after: number): Segment | undefined
  /**
   * Operations from `after + 1` on, at least one if there is one. The cost follows from what it returns, and from the
   * segments that these are in.
   */
  read(after: number, bounds: PageBounds): TreeOperation[]
  /**
   * The operations of a tree at positions up to `through` (default: the head), by clock, then by peer id in code
   * units: the order in which they merge fastest. `bytes` is the length of the values' JSON text. Reading stops once
   * it exceeds `maxBytes`, and `bytes` then says so.
   */
  readTree(
    treeId: TreeId,
    bounds?: { readonly through?: number; readonly maxBytes?: number },
  ): { readonly ops: TreeOperation[]; readonly bytes: number }
  /** Counts the operations of a tree, up to `atMost`. */
  countTree(treeId: TreeId, atMost: number): number

  /** Whether `settle` would move something. */
  readonly isUnsettled: boolean
  /** Whether so much is not settled that it should not wait until nobody asks for anything. */
  readonly isOverdue: boolean
  /**
   * Moves the oldest operations that are not in a segment yet into one, in one transaction: some thousands at a time, and not
   * the newest. What the log holds stays the same, in less room.
   */
  settle(): void

  /**
   * Throws `storage_failed` when the log's medium was replaced, moved, removed or written to by others since it was
   * opened. The log has to be closed and opened again, and may be another one then.
   */
  check(): void
  /** Closes the log, which must not be used afterwards. Repeating it is harmless. */
  close(): void
}

/** The logs of all spaces. */
export interface OpLogs {
  /**
   * Opens the space's log, and creates it if there is none. `epoch` names the process that will commit to it. A
   * space must not be open twice. Throws `storage_failed`.
   *
   * With `toRead`, the log may be one that is opened faster and cannot be written to. It has to be closed and opened without
   * `toRead` before.
   */
  open(spaceId: SpaceId, epoch: Epoch, options?: { readonly toRead?: boolean }): OpLog
  /** How many bytes the space's log takes, open or not; 0 without one. */
  bytesOf(spaceId: SpaceId): number
  /** Another reader met damage in the log: it is examined when it is opened next. */
  suspect(spaceId: SpaceId): void
  /** Whether the log was deleted, which the accounts may have forgotten. */
  wasDeleted(spaceId: SpaceId): boolean
  /** Removes the log for good, and remembers it, durably. It must be closed. Harmless without one. */
  delete(spaceId: SpaceId): void
}
