import type { Epoch, ErrorCode, LogId, SpaceId, TreeId, TreeOperation, UserId } from '@t69/protocol'

/** A space as this device knows it. Continues t69's `SpaceSetup`; layout, theme and drafts stay beside it. */
export interface StoredSpace {
  readonly id: SpaceId
  /** `browser://<id>` while local, the server's address once synced. As t69 has it. */
  readonly uri: string
  readonly name: string | null
  readonly createdAt: Date
  /** Whose synced space it is; null for a space that is only local. */
  readonly userId: UserId | null
}

/** How far this device has followed a space's log. Absent for a space that does not sync. */
export interface SyncState {
  /** Null until the first join. */
  readonly logId: LogId | null
  readonly epoch: Epoch | null
  readonly cursor: number
  /**
   * True from the moment that the log is new to this device (a local space attached, a server that lost
   * history) until `queueMissing` has run: what it lacks of ours is not known before its end is reached.
   */
  readonly reconciling: boolean
}

/** The state of a space that has not met its log yet. */
export const unsynced: SyncState = { logId: null, epoch: null, cursor: 0, reconciling: true }

export interface OutboxSlice {
  /** To be handed back to `settleOutbox`. */
  readonly entries: readonly number[]
  readonly ops: readonly TreeOperation[]
}

export interface RejectedEdit {
  readonly op: TreeOperation
  readonly code: ErrorCode
  readonly message: string
}

export interface PendingCounts {
  /** Operations in the outbox. */
  readonly pending: number
  readonly rejected: number
}

/**
 * Where a device keeps its spaces: IndexedDB in a browser, memory elsewhere. Each method is one
 * transaction: it is on disk when the promise resolves, or it changed nothing and rejects.
 */
export interface ClientStorage {
  listSpaces(): Promise<StoredSpace[]>
  getSpace(spaceId: SpaceId): Promise<StoredSpace | undefined>
  /** Adds or replaces what `StoredSpace` names, and leaves drafts, layout, theme and secrets alone. */
  putSpace(space: StoredSpace): Promise<void>
  /** Removes the space and all that belongs to it, secrets and drafts included. */
  deleteSpace(spaceId: SpaceId): Promise<void>

  /** Every operation of a tree that this device holds, each once, in no particular order. */
  readTree(spaceId: SpaceId, treeId: TreeId): Promise<TreeOperation[]>
  /**
   * Edits made here. With a sync state, they go into the outbox in the same transaction; those that
   * break the protocol's rules (`operationProblem`) are filed as refused instead, and held all the same.
   */
  appendLocal(spaceId: SpaceId, ops: readonly TreeOperation[]): Promise<void>
  /**
   * Operations from the server's log, and the state that covers them. Repeating it is harmless. What
   * the log holds under an id replaces what was held under it.
   */
  appendRemote(spaceId: SpaceId, ops: readonly TreeOperation[], state: SyncState): Promise<void>

  getSyncState(spaceId: SpaceId): Promise<SyncState | undefined>
  /**
   * A `reconciling` state begins a reconciliation where none ran, where it names another log, or where its
   * cursor goes back: what was received before then says nothing of the log. So it is in `appendRemote` too.
   */
  putSyncState(spaceId: SpaceId, state: SyncState): Promise<void>

  /**
   * The oldest outbox entries that fit one batch of `budgetBytes` (at least one entry), or undefined when
   * the outbox is empty. An entry is never larger than one batch.
   */
  readOutbox(spaceId: SpaceId, budgetBytes: number): Promise<OutboxSlice | undefined>
  /**
   * Takes entries out, files what was refused, and moves the state, all at once. While reconciling, the
   * rest of the entries counts as received under `state.logId`. Entries no longer there are passed over.
   */
  settleOutbox(
    spaceId: SpaceId,
    entries: readonly number[],
    rejected: readonly RejectedEdit[],
    state: SyncState,
  ): Promise<void>
  /**
   * Puts into the outbox what was written past it: a tab of an older t69 that is still open does that. Returns
   * what was found, which open trees lack. Nothing where the space does not sync, or is reconciled anyway.
   */
  takeStrays(spaceId: SpaceId): Promise<TreeOperation[]>
  countPending(spaceId: SpaceId): Promise<PendingCounts>
  readRejected(spaceId: SpaceId): Promise<RejectedEdit[]>
  /** Puts refused edits back into the outbox, to be tried again. */
  retryRejected(spaceId: SpaceId): Promise<void>
  /** Lets go of refused edits for good: out of the trees too. */
  discardRejected(spaceId: SpaceId): Promise<void>

  /**
   * Ends a reconciliation: every operation held here that was not received under `logId` and is not in
   * the outbox or refused goes into the outbox; then `reconciling` is false. The space tree goes first, each
   * tree from its oldest clock. Returns how many. A transaction for some thousand operations, so that edits go on
   * between: interrupted, it is repeated in full, and passes over what is queued. Does nothing when no reconciliation with that log runs.
   */
  queueMissing(spaceId: SpaceId, logId: LogId): Promise<number>

  /** Small values of the client itself (t69's `config` table), JSON. */
  getConfig(key: string): Promise<unknown>
  putConfig(key: string, value: unknown): Promise<void>

  /**
   * The same storage for a tab that begins to lead. What moves a sync state (`appendRemote`, `putSyncState`,
   * `settleOutbox`, `queueMissing`) rejects with a `SupersededError`, and changes nothing, once another tab
   * that began to lead has done any of these. So two that lead at once do no harm.
   */
  forLeader(): ClientStorage

  /**
   * Called when what was stored is gone while it was open (somebody cleared the site's data), and a new storage
   * has taken its place. It has the `config` of before and nothing else; whoever still has a space writes it
   * anew. Until then, what is written of it is held without a sync state.
   */
  onEmptied(listener: () => void): () => void

  /** Why nothing is kept beyond this page (storage refused by the browser), or null when it is. */
  readonly volatileReason: string | null
  close(): Promise<void>
}
