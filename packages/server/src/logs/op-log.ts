import type { Epoch, LogId, SpaceId, TreeId, TreeOperation } from '@t69/protocol'

/** What names a vertex within a space. */
export type VertexName = Pick<TreeOperation, 'treeId' | 'targetId'>

/** How far somebody followed a log: SPEC.md, "Log and cursor". */
export interface LogPosition {
  readonly logId: LogId
  readonly epoch?: Epoch | undefined
  readonly cursor: number
}

/** Positions `after + 1` to `cursor`. */
export interface LogRange {
  readonly after: number
  readonly cursor: number
}

export interface PageBounds {
  readonly maxOps: number
  /** Reading stops once the values' JSON text, plus a few bytes an operation, comes to more. */
  readonly maxBytes: number
}

/**
 * One space's log: operations in the order in which they were committed, numbered from 1. Every method is
 * synchronous and throws `SyncError` `storage_failed` when the medium fails.
 */
export interface OpLog {
  readonly logId: LogId
  /** The position of the newest operation; 0 when there is none. */
  readonly head: number
  /** Which epoch the newest operation belongs to; the process's own while the log is empty. */
  readonly epoch: Epoch
  /** What the log takes where it is kept, about. */
  readonly bytes: number

  /** Whether the log still has all that `position` covers. */
  holds(position: LogPosition): boolean
  /** Gives the log a new id, durably: what others know of its positions no longer counts. */
  renewLogId(): LogId

  /**
   * Whether an operation with this one's id is in the log, with the same content or another. Costs what `op`
   * weighs, however large what is there.
   */
  compare(op: TreeOperation): 'absent' | 'same' | 'other'
  /** Whether an operation in the log deletes the vertex; others may have brought it back since. */
  wasDeleted(vertex: VertexName): boolean
  /** The highest clock in a tree; 0 for a tree that the log does not know. */
  maxClock(treeId: TreeId): number
  /**
   * Appends operations whose ids are not in the log, in this order, in one transaction. Durable when it
   * returns (how far that reaches is the implementation's setting). Throws on an id that is there. Where it
   * throws `storage_failed` the operations may be in the log all the same, and are there once it is opened anew.
   */
  append(ops: readonly TreeOperation[]): LogRange

  /** Operations from `after + 1` on, at least one if there is one. Costs what it returns, not what there is. */
  read(after: number, bounds: PageBounds): TreeOperation[]
  /**
   * Every operation of a tree, or those at positions up to `through`, by clock, then peer id in code units:
   * the order in which they merge fastest. Reading stops once the values' JSON text comes to more than
   * `maxBytes`: then that is what `bytes` says.
   */
  readTree(
    treeId: TreeId,
    bounds?: { readonly through?: number; readonly maxBytes?: number },
  ): { readonly ops: TreeOperation[]; readonly bytes: number }
  /** How many operations a tree has, counted up to `atMost`. */
  countTree(treeId: TreeId, atMost: number): number

  /**
   * Throws `storage_failed` when what the log is kept in was replaced, moved away, removed or written to by others
   * since it was opened: it has to be closed and opened anew, and may then be another.
   */
  check(): void
  /** The log is not used afterwards. Repeating it is harmless. */
  close(): void
}

/** Where the logs of all spaces are. */
export interface OpLogs {
  /**
   * Opens the space's log, made when it is not there; `epoch` names the process that will commit to it.
   * One space is open at most once. Throws `storage_failed`.
   */
  open(spaceId: SpaceId, epoch: Epoch): OpLog
  /** How many bytes the space's log takes, open or not; 0 when it is not there. */
  bytesOf(spaceId: SpaceId): number
  /** Somebody else met damage in it: it is examined when it is opened next. */
  suspect(spaceId: SpaceId): void
  /** Removes the log for good. It must be closed. Removing what is not there is harmless. */
  delete(spaceId: SpaceId): void
}
