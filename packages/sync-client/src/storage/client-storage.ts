import type {
  Epoch,
  ErrorCode,
  LogId,
  RegistrationId,
  RoleName,
  SpaceId,
  SpaceIdentity,
  SpaceSeal,
  TreeId,
  TreeOperation,
  UserId,
} from '@t69/protocol'

import type { AttestedRun } from './attested-runs.ts'

/** A space as this device has stored it. Part of t69's `SpaceSetup` row, which also has layout, theme and drafts. */
export interface StoredSpace {
  readonly id: SpaceId
  /** `browser://<id>` while local, the server's address once synced, as in t69. */
  readonly uri: string
  readonly name: string | null
  readonly createdAt: Date
  /** The user as whose space it syncs; null for a local space. */
  readonly userId: UserId | null
  /** The normal address of the server whose user that is. Absent for a local space, and in what older releases stored. */
  readonly server?: string | undefined
}

/** How far this device has followed a space's log. Absent for a space that does not sync. */
export interface SyncState {
  /**
   * Which space this is: the server's random id for its registration. Null until the first join, and for what was stored
   * before spaces had an identity.
   */
  readonly identity: SpaceIdentity | null
  /** Null until the first join. */
  readonly logId: LogId | null
  readonly epoch: Epoch | null
  /** The position up to which the log's operations are stored here. */
  readonly cursor: number
  /**
   * True from the time that the log is new to this device (a local space was attached, or a server lost history) until
   * `queueMissing` has run: which of our operations the log lacks is not known before its end is reached.
   */
  readonly reconciling: boolean
}

/** The state of a space that syncs and has not joined its log yet. */
export const unsynced: SyncState = {
  identity: null,
  logId: null,
  epoch: null,
  cursor: 0,
  reconciling: true,
}

/** The newest seal of a space's members that this device has, and the user's role when it was made. */
export interface KeptSeal extends SpaceSeal {
  readonly role: RoleName
}

/** What a device shows to a server that does not know the space, or not its latest members. */
export interface SpaceProof {
  /** The id under which this device registers the space; null for a space that came from a server. */
  readonly registration: RegistrationId | null
  readonly seal: KeptSeal | null
}

/** The oldest entries of the outbox, with their operations in order. */
export interface OutboxSlice {
  /** The entries' names, for `settleOutbox`. */
  readonly entries: readonly number[]
  readonly ops: readonly TreeOperation[]
  /** The batch of the operations. It need not be checked or encoded again. */
  readonly batch: Uint8Array<ArrayBuffer>
}

/** The names of the oldest and of the newest entry of an outbox. A newer entry has a higher name. */
export interface OutboxRange {
  readonly oldest: number
  readonly newest: number
}

/** An edit that was refused, with the reason. */
export interface RejectedEdit {
  readonly op: TreeOperation
  readonly code: ErrorCode
  /** For people. */
  readonly message: string
}

export interface PendingCounts {
  /** Operations in the outbox. */
  readonly pending: number
  /** Refused operations. */
  readonly rejected: number
}

/**
 * Where a device keeps its spaces: IndexedDB in a browser, memory elsewhere. Each method is one transaction: when its
 * promise resolves, the change is on disk; when it rejects, nothing has changed. `queueMissing` and `takeStrays` use
 * several transactions, and may be repeated.
 */
export interface ClientStorage {
  listSpaces(): Promise<StoredSpace[]>
  getSpace(spaceId: SpaceId): Promise<StoredSpace | undefined>
  /** Adds the space or replaces the fields of `StoredSpace`. Drafts, layout, theme and secrets stay as they are. */
  putSpace(space: StoredSpace): Promise<void>
  /** Removes the space and everything that belongs to it: secrets, drafts, and values of `config` under its id (`view:<id>`). */
  deleteSpace(spaceId: SpaceId): Promise<void>

  /** Returns every operation of a tree that this device has, each once, in no particular order. */
  readTree(spaceId: SpaceId, treeId: TreeId): Promise<TreeOperation[]>
  /**
   * Stores edits made on this device. In a space with a sync state they go into the outbox in the same transaction.
   * Edits that break the protocol's rules (`operationProblem`) are filed as refused instead, and stored all the same.
   */
  appendLocal(spaceId: SpaceId, ops: readonly TreeOperation[]): Promise<void>
  /**
   * Stores operations from the server's log together with the state that covers them, and with who committed them.
   * Repeating it is harmless. An operation of the log replaces one that was stored with the same id. What is known of who
   * committed an operation stays, unless its content is replaced.
   */
  appendRemote(
    spaceId: SpaceId,
    ops: readonly TreeOperation[],
    state: SyncState,
    attested?: readonly AttestedRun[],
  ): Promise<void>
  /** Who committed the operations of a tree, in no particular order. Nothing is known of those in no run. */
  readAttested(spaceId: SpaceId, treeId: TreeId): Promise<AttestedRun[]>

  /** Returns the ids of the trees of which this device has an operation, in no particular order. */
  listTrees(spaceId: SpaceId): Promise<TreeId[]>

  getSyncState(spaceId: SpaceId): Promise<SyncState | undefined>
  /**
   * Stores the state. A `reconciling` state begins a reconciliation when none was running, when it names another log, or
   * when its cursor goes back: operations received before that say nothing about the log. The same holds for the state
   * in `appendRemote`.
   */
  putSyncState(spaceId: SpaceId, state: SyncState): Promise<void>

  /** Nulls for a space that never synced. */
  getProof(spaceId: SpaceId): Promise<SpaceProof>
  /** Returns the stored registration of the space. If there is none, `made` is stored as such, and returned. */
  keepRegistration(spaceId: SpaceId, made: RegistrationId): Promise<RegistrationId>
  /** Replaces the seal; null removes it. Does nothing in a space without a sync state. */
  putSeal(spaceId: SpaceId, seal: KeptSeal | null): Promise<void>

  /**
   * Returns the oldest outbox entries that fit one batch of `budgetBytes`, but at least one entry; undefined when the
   * outbox is empty. An entry is never larger than one batch.
   */
  readOutbox(spaceId: SpaceId, budgetBytes: number): Promise<OutboxSlice | undefined>
  /** Returns undefined when the outbox is empty. */
  outboxRange(spaceId: SpaceId): Promise<OutboxRange | undefined>
  /**
   * Removes entries from the outbox, files the refused edits, and stores the state, all in one transaction. During a
   * reconciliation, the other operations of the entries count as received under `state.logId`. Entries that are no
   * longer there are ignored. `attested`: the operations that the server has committed for this device's user; what is
   * known of them already stays.
   */
  settleOutbox(
    spaceId: SpaceId,
    entries: readonly number[],
    rejected: readonly RejectedEdit[],
    state: SyncState,
    attested?: readonly AttestedRun[],
  ): Promise<void>
  /**
   * Finds edits that were stored without the outbox, as a tab of an older t69 does, and puts them into it. Returns the
   * edits found, which open trees lack. Does nothing in a space that does not sync, or during a reconciliation, which
   * finds them anyway.
   */
  takeStrays(spaceId: SpaceId): Promise<TreeOperation[]>
  countPending(spaceId: SpaceId): Promise<PendingCounts>
  readRejected(spaceId: SpaceId): Promise<RejectedEdit[]>
  /**
   * Moves refused edits back into the outbox, to be sent again. `renamed` has the operations that take the place of
   * edits, by the keys of these (`opKey`): an edit leaves its tree like one that is discarded.
   */
  retryRejected(spaceId: SpaceId, renamed?: ReadonlyMap<string, TreeOperation>): Promise<void>
  /** Removes refused edits for good, from their trees as well. Returns them. */
  discardRejected(spaceId: SpaceId): Promise<readonly TreeOperation[]>

  /**
   * Ends a reconciliation: puts every stored operation into the outbox that was not received under `logId`, is not in the
   * outbox and was not refused; then sets `reconciling` to false. The space tree goes first, each tree from its oldest
   * clock. Returns how many operations were queued. Uses one transaction for every few thousand operations, so that
   * edits need not wait: after an interruption it is repeated in full, and skips what is already queued. Does nothing
   * unless a reconciliation with that log is running. With `mayQueue` false, it does nothing if there is an operation to
   * queue, and returns how many it found so far.
   */
  queueMissing(spaceId: SpaceId, logId: LogId, mayQueue?: boolean): Promise<number>

  /** Returns a small JSON value of the client itself, from t69's `config` table; undefined when there is none. */
  getConfig(key: string): Promise<unknown>
  /** Undefined removes the value. */
  putConfig(key: string, value: unknown): Promise<void>

  /**
   * Returns the same storage for a tab that begins to lead. The methods of the leader (`appendRemote`, `putSyncState`,
   * `putSeal`, `settleOutbox`, `queueMissing`) reject with a `SupersededError`, and change nothing, once another tab
   * that began to lead has called any of them since. So two tabs that lead at once do no harm.
   */
  forLeader(): ClientStorage

  /**
   * Calls back when the stored data is gone while the storage was open (somebody cleared the site's data), and a new
   * storage has taken its place. The new one has the `config` of before and nothing else. A client that has a space open
   * has to write it again; until then, its edits are stored without a sync state.
   */
  onEmptied(listener: () => void): () => void

  /**
   * The name of the browser's database, which every tab of this origin can open; absent for a storage that one client has
   * to itself. Clients over one database find each other by it, and note their edits in `localStorage` under it.
   */
  readonly database?: string | undefined
  /** Why nothing outlives this page (the browser refuses storage), or null when it does. A sentence for people. */
  readonly volatileReason: string | null
  close(): Promise<void>
}
