import {
  decodeBatch,
  opKey,
  type LogId,
  type RegistrationId,
  type SpaceId,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'

import { createListeners, type Listeners } from '../../runtime/index.ts'
import type { AttestedRun } from '../attested-runs.ts'
import type {
  ClientStorage,
  KeptSeal,
  OutboxRange,
  OutboxSlice,
  PendingCounts,
  RejectedEdit,
  SpaceProof,
  StoredSpace,
  SyncState,
} from '../client-storage.ts'
import { namesSpace } from '../config-key.ts'
import { LeaderTerm } from '../leader-term.ts'
import { fitsSlice, packChecked } from '../outbox-entries.ts'
import { attest, readAttested } from './attested-rows.ts'
import { type Compaction, compactTree, worthwhileCompaction } from './compact-tree.ts'
import { DatabaseConnection } from './database-connection.ts'
import { deleteSpaceRows } from './delete-space.ts'
import { discardOps } from './discard-ops.ts'
import { watchEmptied } from './emptied.ts'
import { LocalDb, type OutboxRow } from './local-db-schema.ts'
import { queueMissing } from './queue-missing.ts'
import { parseRegistration, parseSeal, registrationKey, sealKey } from './space-proof.ts'
import { parseSpaceRow, spaceRow } from './space-row.ts'
import { refusalReason } from './storage-error.ts'
import { inPieces, isStray, strayKeys, takeStrays } from './strays.ts'
import { dequeue, enqueue, fileRejected, moveState, takeRejected } from './sync-rows.ts'
import { listTreeIds, loadTree, mergeTreeInTurns, writeOps } from './tree-ops.ts'

export interface IndexedDbStorageOptions {
  /** The database's name. Default: t69's `localDb`. */
  readonly name?: string
  /** Default: the browser's. Tests pass their own. */
  readonly indexedDB?: IDBFactory
  readonly IDBKeyRange?: typeof IDBKeyRange
  /**
   * Called when a tab of an older version keeps the database open. Ask the user to close that tab: opening continues
   * when it releases the database.
   */
  readonly onBlocked?: () => void
  /** Runs housekeeping when the page is idle. Default: `requestIdleCallback`, where there is one. */
  readonly whenIdle?: (work: () => void) => void
}

/**
 * Opens this device's `localDb`, and upgrades it from any version of t69. Where the browser refuses storage, returns a
 * memory storage whose `volatileReason` says why, so that the app works and can show it. Never rejects.
 */
export async function openIndexedDbStorage(options: IndexedDbStorageOptions = {}): Promise<ClientStorage> {
  const db = new LocalDb(options.name, {
    ...(options.indexedDB === undefined ? {} : { indexedDB: options.indexedDB }),
    ...(options.IDBKeyRange === undefined ? {} : { IDBKeyRange: options.IDBKeyRange }),
  })
  db.on('blocked', () => options.onBlocked?.())
  // A factory that is passed is not the one that the other tabs have.
  const database = options.indexedDB === undefined ? db.name : undefined
  const page: PageMemory = { database, config: new Map(), emptied: createListeners() }
  watchEmptied(db, page.config, () => page.emptied.emit())
  try {
    await db.open()
  } catch (error) {
    db.close()
    const { memoryStorage } = await import('../memory-storage.ts')
    return memoryStorage({ volatileReason: refusalReason(error) })
  }
  return new IndexedDbStorage(new DatabaseConnection(db), page, options.whenIdle ?? whenIdle, null)
}

/** Data that lives as long as the page, and outlives a deleted database. */
interface PageMemory {
  /** The name of the browser's database. */
  readonly database: string | undefined
  /** The values of `config` as this page last read or wrote them. */
  readonly config: Map<string, unknown>
  readonly emptied: Listeners<void>
}

class IndexedDbStorage implements ClientStorage {
  readonly volatileReason = null
  readonly database: string | undefined
  readonly #connection: DatabaseConnection
  readonly #page: PageMemory
  readonly #term: LeaderTerm | null
  readonly #whenIdle: (work: () => void) => void
  /** The trees whose compaction is scheduled or running. */
  readonly #compacting = new Set<string>()

  constructor(
    connection: DatabaseConnection,
    page: PageMemory,
    whenIdle: (work: () => void) => void,
    term: LeaderTerm | null,
  ) {
    this.database = page.database
    this.#connection = connection
    this.#page = page
    this.#whenIdle = whenIdle
    this.#term = term
  }

  forLeader(): ClientStorage {
    return new IndexedDbStorage(this.#connection, this.#page, this.#whenIdle, new LeaderTerm())
  }

  listSpaces(): Promise<StoredSpace[]> {
    return this.#connection.run(async (db) => {
      const rows = await db.spaces.toArray()
      return rows.flatMap((row) => parseSpaceRow(row) ?? [])
    })
  }

  getSpace(spaceId: SpaceId): Promise<StoredSpace | undefined> {
    return this.#connection.run(async (db) => {
      const row = await db.spaces.get(spaceId)
      return row === undefined ? undefined : parseSpaceRow(row)
    })
  }

  putSpace(space: StoredSpace): Promise<void> {
    return this.#connection.run((db) =>
      db.transaction('rw', [db.spaces], async () => {
        await db.spaces.put(spaceRow(space, await db.spaces.get(space.id)))
      }),
    )
  }

  async deleteSpace(spaceId: SpaceId): Promise<void> {
    await this.#write((db) => deleteSpaceRows(db, spaceId))
    for (const key of this.#page.config.keys()) if (namesSpace(key, spaceId)) this.#page.config.delete(key)
  }

  async readTree(spaceId: SpaceId, treeId: TreeId): Promise<TreeOperation[]> {
    const tree = await this.#connection.run((db) =>
      db.transaction('r', [db.treeOps, db.segments], async () => loadTree(db, spaceId, treeId)),
    )
    const ops = await mergeTreeInTurns(tree)
    const compaction = worthwhileCompaction(tree, ops.size)
    if (compaction !== undefined) this.#compactLater(spaceId, treeId, compaction)
    return ops.values()
  }

  appendLocal(spaceId: SpaceId, ops: readonly TreeOperation[]): Promise<void> {
    return this.#write(async (db) => {
      await writeOps(db, spaceId, ops, null)
      if ((await db.sync.get(spaceId)) !== undefined) await enqueue(db, spaceId, ops)
    })
  }

  appendRemote(
    spaceId: SpaceId,
    ops: readonly TreeOperation[],
    state: SyncState,
    attested: readonly AttestedRun[] = [],
  ): Promise<void> {
    return this.#lead(async (db) => {
      await moveState(db, spaceId, state)
      await attest(db, spaceId, attested, ops)
      await writeOps(db, spaceId, ops, receivedUnder(state), ops.some(isStray))
    })
  }

  readAttested(spaceId: SpaceId, treeId: TreeId): Promise<AttestedRun[]> {
    return this.#connection.run((db) => readAttested(db, spaceId, treeId))
  }

  getSyncState(spaceId: SpaceId): Promise<SyncState | undefined> {
    return this.#connection.run(async (db) => {
      const row = await db.sync.get(spaceId)
      if (row === undefined) return undefined
      const { identity = null, logId, epoch, cursor, reconciling } = row
      return { identity, logId, epoch, cursor, reconciling }
    })
  }

  putSyncState(spaceId: SpaceId, state: SyncState): Promise<void> {
    return this.#lead((db) => moveState(db, spaceId, state))
  }

  listTrees(spaceId: SpaceId): Promise<TreeId[]> {
    return this.#connection.run((db) =>
      db.transaction('r', [db.treeOps, db.segments], async () => listTreeIds(db, spaceId)),
    )
  }

  async getProof(spaceId: SpaceId): Promise<SpaceProof> {
    const [registration, seal] = await Promise.all([
      this.getConfig(registrationKey(spaceId)),
      this.getConfig(sealKey(spaceId)),
    ])
    return { registration: parseRegistration(registration), seal: parseSeal(seal) }
  }

  async keepRegistration(spaceId: SpaceId, made: RegistrationId): Promise<RegistrationId> {
    const key = registrationKey(spaceId)
    const kept = await this.#write(async (db) => {
      const stored = parseRegistration((await db.config.get(key))?.value)
      if (stored === null) await db.config.put({ key, value: made })
      return stored ?? made
    })
    this.#page.config.set(key, kept)
    return kept
  }

  async putSeal(spaceId: SpaceId, seal: KeptSeal | null): Promise<void> {
    const key = sealKey(spaceId)
    await this.#lead(async (db) => {
      if (seal === null) await db.config.delete(key)
      else if ((await db.sync.get(spaceId)) !== undefined) await db.config.put({ key, value: seal })
    })
    this.#page.config.set(key, seal)
  }

  readOutbox(spaceId: SpaceId, budgetBytes: number): Promise<OutboxSlice | undefined> {
    return this.#connection.run(async (db) => {
      const rows: OutboxRow[] = []
      let bytes = 0
      let count = 0
      // A cursor, because entries may be many or large: those that do not fit are not read.
      const isFull = (row: OutboxRow): boolean => {
        bytes += row.batch.length
        count += row.count
        if (!fitsSlice(rows.length, bytes, count, budgetBytes)) return true
        rows.push(row)
        return false
      }
      await db.outbox
        .where('spaceId')
        .equals(spaceId)
        .until(isFull)
        .each(() => undefined)
      const [first] = rows
      if (first === undefined) return undefined
      const ops = rows.flatMap((row) => decodeBatch(row.batch).ops)
      const batch = rows.length === 1 ? first.batch : packChecked(spaceId, ops)
      return { entries: rows.map((row) => row.order), ops, batch }
    })
  }

  outboxRange(spaceId: SpaceId): Promise<OutboxRange | undefined> {
    return this.#connection.run((db) =>
      db.transaction('r', [db.outbox], async () => {
        const entries = () => db.outbox.where('spaceId').equals(spaceId)
        const [oldest, newest] = [await entries().first(), await entries().last()]
        if (oldest === undefined || newest === undefined) return undefined
        return { oldest: oldest.order, newest: newest.order }
      }),
    )
  }

  settleOutbox(
    spaceId: SpaceId,
    entries: readonly number[],
    rejected: readonly RejectedEdit[],
    state: SyncState,
    attested: readonly AttestedRun[] = [],
  ): Promise<void> {
    return this.#lead(async (db) => {
      await moveState(db, spaceId, state)
      await attest(db, spaceId, attested)
      const settled = await dequeue(db, spaceId, entries)
      await fileRejected(db, spaceId, rejected)
      if (!state.reconciling) return
      // The server has committed them, so the log that is being reconciled has them.
      const refused = new Set(rejected.map((edit) => opKey(edit.op)))
      const ops = settled.flatMap((row) => decodeBatch(row.batch).ops)
      const taken = ops.filter((op) => !refused.has(opKey(op)))
      await writeOps(db, spaceId, taken, receivedUnder(state))
    })
  }

  async takeStrays(spaceId: SpaceId): Promise<TreeOperation[]> {
    const found: TreeOperation[] = []
    for (const piece of inPieces(await this.#connection.run((db) => strayKeys(db, spaceId)))) {
      found.push(...(await this.#write((db) => takeStrays(db, spaceId, piece))))
    }
    return found
  }

  countPending(spaceId: SpaceId): Promise<PendingCounts> {
    return this.#connection.run((db) =>
      db.transaction('r', [db.sync, db.rejected], async () => ({
        pending: (await db.sync.get(spaceId))?.pending ?? 0,
        rejected: await db.rejected.where('spaceId').equals(spaceId).count(),
      })),
    )
  }

  readRejected(spaceId: SpaceId): Promise<RejectedEdit[]> {
    return this.#connection.run(async (db) => {
      const rows = await db.rejected.where('spaceId').equals(spaceId).toArray()
      return rows.map(({ op, code, message }) => ({ op, code, message }))
    })
  }

  retryRejected(spaceId: SpaceId, renamed?: ReadonlyMap<string, TreeOperation>): Promise<void> {
    return this.#write(async (db) => {
      const edits = (await takeRejected(db, spaceId)).map((op) => ({ op, next: renamed?.get(opKey(op)) }))
      const gone = edits.flatMap(({ op, next }) => (next === undefined ? [] : op))
      await discardOps(db, spaceId, gone)
      const added = edits.flatMap(({ next }) => next ?? [])
      await writeOps(db, spaceId, added, null)
      const sent = edits.map(({ op, next }) => next ?? op)
      await enqueue(db, spaceId, sent)
    })
  }

  discardRejected(spaceId: SpaceId): Promise<readonly TreeOperation[]> {
    return this.#write(async (db) => {
      const ops = await takeRejected(db, spaceId)
      await discardOps(db, spaceId, ops)
      return ops
    })
  }

  queueMissing(spaceId: SpaceId, logId: LogId, mayQueue = true): Promise<number> {
    return queueMissing(spaceId, logId, {
      mayQueue,
      read: (stores, work) =>
        this.#connection.run((db) =>
          db.transaction(
            'r',
            stores.map((store) => db[store]),
            async () => work(db),
          ),
        ),
      lead: (work) => this.#lead(work),
    })
  }

  async getConfig(key: string): Promise<unknown> {
    const value = await this.#connection.run(async (db) => (await db.config.get(key))?.value)
    this.#page.config.set(key, value)
    return value
  }

  async putConfig(key: string, value: unknown): Promise<void> {
    await this.#connection.run(async (db) => {
      if (value === undefined) await db.config.delete(key)
      else await db.config.put({ key, value })
    })
    this.#page.config.set(key, value)
  }

  onEmptied(listener: () => void): () => void {
    return this.#page.emptied.add(listener)
  }

  async close(): Promise<void> {
    this.#connection.close()
  }

  /**
   * Runs one transaction over all stores. Resolves when it has completed: until then, nothing is on disk. The scope must
   * itself be an async function: this tells Dexie to keep the transaction open through native awaits.
   */
  #write<T>(work: (db: LocalDb) => Promise<T>): Promise<T> {
    return this.#connection.run((db) => db.transaction('rw', db.tables, async () => work(db)))
  }

  /** Runs a transaction that moves a sync state. Rejects with `SupersededError` if another tab has begun to lead. */
  async #lead<T>(work: (db: LocalDb) => Promise<T>): Promise<T> {
    const term = this.#term
    if (term === null) return this.#write(work)
    const result = await this.#write(async (db) => {
      if (term.begins((await db.config.get(termKey))?.value))
        await db.config.put({ key: termKey, value: term.id })
      return work(db)
    })
    term.committed()
    return result
  }

  #compactLater(spaceId: SpaceId, treeId: TreeId, compaction: Compaction): void {
    const key = `${spaceId}/${treeId}`
    if (this.#compacting.has(key)) return
    this.#compacting.add(key)
    this.#whenIdle(() => {
      // A failure changes nothing. It is tried again when the tree is next read.
      this.#connection
        .run((db) => compactTree(db, spaceId, treeId, compaction))
        .catch(() => undefined)
        .finally(() => this.#compacting.delete(key))
    })
  }
}

const termKey = 'syncTerm'

/** The log that is known to have the operations stored with this state; null unless a reconciliation is running. */
function receivedUnder(state: SyncState): LogId | null {
  return state.reconciling ? state.logId : null
}

function whenIdle(work: () => void): void {
  // Safari has no requestIdleCallback. After two seconds, the work of opening a tree is done.
  if ('requestIdleCallback' in globalThis) requestIdleCallback(work, { timeout: 30_000 })
  else setTimeout(work, 2_000)
}
