import {
  checkOperation,
  createPacker,
  hasSameContent,
  opKey,
  type LogId,
  type PeerId,
  type RegistrationId,
  type SpaceId,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'

import { addRun, disputedBy, forgetRun, type AttestedRun, type ClockRun } from './attested-runs.ts'
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
} from './client-storage.ts'
import { namesSpace } from './config-key.ts'
import { LeaderTerm } from './leader-term.ts'
import { OpMap } from './op-map.ts'
import { byClock, spaceTreeFirst } from './op-order.ts'
import { elsewhere } from './outbox-entries.ts'
import { beginsReconciliation } from './reconciliation.ts'

export interface MemoryStorageOptions {
  /** Why memory is used although the app did not choose it. The app shows it. */
  readonly volatileReason?: string
}

/**
 * Creates a `ClientStorage` in memory: for bots, for tests, and for pages whose browser refuses storage. It lives as
 * long as the object. `close()` keeps everything, so that a new client over the same object stands for a reload.
 *
 *     const storage = memoryStorage()
 *     await using client = createSyncClient({ url, storage })
 */
export function memoryStorage(options: MemoryStorageOptions = {}): ClientStorage {
  return new MemoryStorage(options.volatileReason ?? null, new Memory(), null)
}

interface HeldOp {
  readonly op: TreeOperation
  /** The number of the reconciliation in which the operation was received from the server's log; 0 for none. */
  readonly receivedIn: number
}

/** An edit that was checked, with its value as JSON. It is encoded once, with the others that are sent with it. */
interface QueuedEdit {
  readonly op: TreeOperation
  readonly valueText: string | undefined
}

interface SpaceData {
  readonly trees: Map<TreeId, OpMap<HeldOp>>
  readonly attested: Map<TreeId, Map<PeerId, ClockRun[]>>
  /** By order; the map's own order is the same. */
  readonly outbox: Map<number, QueuedEdit>
  readonly rejected: Map<string, RejectedEdit>
  sync: SyncState | undefined
  proof: SpaceProof
  reconciliation: number
}

/** The data that the storages of several leaders share. */
class Memory {
  readonly spaces = new Map<SpaceId, StoredSpace>()
  readonly records = new Map<SpaceId, SpaceData>()
  readonly config = new Map<string, unknown>()
  lastOrder = 0
  term: string | null = null
}

class MemoryStorage implements ClientStorage {
  readonly volatileReason: string | null
  readonly #memory: Memory
  readonly #term: LeaderTerm | null

  constructor(volatileReason: string | null, memory: Memory, term: LeaderTerm | null) {
    this.volatileReason = volatileReason
    this.#memory = memory
    this.#term = term
  }

  /** Memory is never emptied. */
  onEmptied(): () => void {
    return () => {}
  }

  forLeader(): ClientStorage {
    return new MemoryStorage(this.volatileReason, this.#memory, new LeaderTerm())
  }

  async listSpaces(): Promise<StoredSpace[]> {
    return [...this.#memory.spaces.values()]
  }

  async getSpace(spaceId: SpaceId): Promise<StoredSpace | undefined> {
    return this.#memory.spaces.get(spaceId)
  }

  async putSpace(space: StoredSpace): Promise<void> {
    this.#memory.spaces.set(space.id, { ...space })
  }

  async deleteSpace(spaceId: SpaceId): Promise<void> {
    this.#memory.spaces.delete(spaceId)
    this.#memory.records.delete(spaceId)
    for (const key of this.#memory.config.keys())
      if (namesSpace(key, spaceId)) this.#memory.config.delete(key)
  }

  async readTree(spaceId: SpaceId, treeId: TreeId): Promise<TreeOperation[]> {
    const held = this.#memory.records.get(spaceId)?.trees.get(treeId)?.values() ?? []
    return held.map(({ op }) => op)
  }

  async appendLocal(spaceId: SpaceId, ops: readonly TreeOperation[]): Promise<void> {
    const record = this.#record(spaceId)
    if (record.sync !== undefined) this.#enqueue(spaceId, record, ops)
    hold(record, ops, 0)
  }

  async appendRemote(
    spaceId: SpaceId,
    ops: readonly TreeOperation[],
    state: SyncState,
    attested: readonly AttestedRun[] = [],
  ): Promise<void> {
    this.#lead()
    const record = this.#record(spaceId)
    moveState(record, state)
    attest(record, attested, ops)
    hold(record, ops, state.reconciling ? record.reconciliation : 0)
  }

  async readAttested(spaceId: SpaceId, treeId: TreeId): Promise<AttestedRun[]> {
    const peers = this.#memory.records.get(spaceId)?.attested.get(treeId) ?? []
    return Array.from(peers, ([peerId, runs]) => runs.map((run) => ({ ...run, treeId, peerId }))).flat()
  }

  async getSyncState(spaceId: SpaceId): Promise<SyncState | undefined> {
    return this.#memory.records.get(spaceId)?.sync
  }

  async putSyncState(spaceId: SpaceId, state: SyncState): Promise<void> {
    this.#lead()
    moveState(this.#record(spaceId), state)
  }

  async listTrees(spaceId: SpaceId): Promise<TreeId[]> {
    return [...(this.#memory.records.get(spaceId)?.trees.keys() ?? [])]
  }

  async getProof(spaceId: SpaceId): Promise<SpaceProof> {
    return this.#record(spaceId).proof
  }

  async keepRegistration(spaceId: SpaceId, made: RegistrationId): Promise<RegistrationId> {
    const record = this.#record(spaceId)
    const registration = record.proof.registration ?? made
    record.proof = { ...record.proof, registration }
    return registration
  }

  async putSeal(spaceId: SpaceId, seal: KeptSeal | null): Promise<void> {
    this.#lead()
    const record = this.#record(spaceId)
    if (record.sync !== undefined) record.proof = { ...record.proof, seal }
  }

  async readOutbox(spaceId: SpaceId, budgetBytes: number): Promise<OutboxSlice | undefined> {
    const outbox = this.#memory.records.get(spaceId)?.outbox
    if (outbox === undefined || outbox.size === 0) return undefined
    const packer = createPacker(spaceId, { budgetBytes })
    const entries: number[] = []
    const ops: TreeOperation[] = []
    for (const [order, { op, valueText }] of outbox) {
      if (!packer.add(op, valueText)) break
      entries.push(order)
      ops.push(op)
    }
    return { entries, ops, batch: packer.finish() }
  }

  async outboxRange(spaceId: SpaceId): Promise<OutboxRange | undefined> {
    const names = Array.from(this.#memory.records.get(spaceId)?.outbox.keys() ?? [])
    const [oldest, newest] = [names[0], names.at(-1)]
    return oldest === undefined || newest === undefined ? undefined : { oldest, newest }
  }

  async settleOutbox(
    spaceId: SpaceId,
    entries: readonly number[],
    rejected: readonly RejectedEdit[],
    state: SyncState,
    attested: readonly AttestedRun[] = [],
  ): Promise<void> {
    this.#lead()
    const record = this.#record(spaceId)
    moveState(record, state)
    attest(record, attested)
    const refused = new Set(rejected.map((edit) => opKey(edit.op)))
    const settled: TreeOperation[] = []
    for (const order of entries) {
      const op = record.outbox.get(order)?.op
      record.outbox.delete(order)
      if (op !== undefined && state.reconciling && !refused.has(opKey(op))) settled.push(op)
    }
    hold(record, settled, record.reconciliation)
    for (const edit of rejected) record.rejected.set(opKey(edit.op), edit)
  }

  /** An older release cannot write into this object. */
  async takeStrays(): Promise<TreeOperation[]> {
    return []
  }

  async countPending(spaceId: SpaceId): Promise<PendingCounts> {
    const record = this.#memory.records.get(spaceId)
    return { pending: record?.outbox.size ?? 0, rejected: record?.rejected.size ?? 0 }
  }

  async readRejected(spaceId: SpaceId): Promise<RejectedEdit[]> {
    return [...(this.#memory.records.get(spaceId)?.rejected.values() ?? [])]
  }

  async retryRejected(spaceId: SpaceId, renamed?: ReadonlyMap<string, TreeOperation>): Promise<void> {
    const record = this.#record(spaceId)
    const edits = [...record.rejected.values()].map(({ op }) => ({ op, next: renamed?.get(opKey(op)) }))
    record.rejected.clear()
    for (const { op, next } of edits) {
      if (next === undefined) continue
      drop(record, op)
      hold(record, [next], 0)
    }
    this.#enqueue(
      spaceId,
      record,
      edits.map(({ op, next }) => next ?? op),
    )
  }

  async discardRejected(spaceId: SpaceId): Promise<readonly TreeOperation[]> {
    const record = this.#record(spaceId)
    const ops = Array.from(record.rejected.values(), ({ op }) => op)
    for (const op of ops) drop(record, op)
    record.rejected.clear()
    return ops
  }

  async queueMissing(spaceId: SpaceId, logId: LogId, mayQueue = true): Promise<number> {
    this.#lead()
    const record = this.#record(spaceId)
    if (record.sync?.logId !== logId || !record.sync.reconciling) return 0
    const known = new Set(record.rejected.keys())
    for (const { op } of record.outbox.values()) known.add(opKey(op))
    let queued = 0
    for (const treeId of spaceTreeFirst(spaceId, record.trees.keys())) {
      const held = record.trees.get(treeId)?.values() ?? []
      const missing = held
        .filter(({ op, receivedIn }) => receivedIn !== record.reconciliation && !known.has(opKey(op)))
        .map(({ op }) => op)
        .toSorted(byClock)
      if (!mayQueue && missing.length > 0) return missing.length
      queued += this.#enqueue(spaceId, record, missing)
    }
    record.sync = { ...record.sync, reconciling: false }
    return queued
  }

  async getConfig(key: string): Promise<unknown> {
    return this.#memory.config.get(key)
  }

  async putConfig(key: string, value: unknown): Promise<void> {
    if (value === undefined) this.#memory.config.delete(key)
    else this.#memory.config.set(key, structuredClone(value))
  }

  async close(): Promise<void> {}

  #lead(): void {
    const term = this.#term
    if (term === null) return
    if (term.begins(this.#memory.term)) this.#memory.term = term.id
    term.committed()
  }

  #record(spaceId: SpaceId): SpaceData {
    let record = this.#memory.records.get(spaceId)
    if (record === undefined) {
      record = {
        trees: new Map(),
        attested: new Map(),
        outbox: new Map(),
        rejected: new Map(),
        sync: undefined,
        proof: { registration: null, seal: null },
        reconciliation: 0,
      }
      this.#memory.records.set(spaceId, record)
    }
    return record
  }

  #enqueue(spaceId: SpaceId, record: SpaceData, ops: readonly TreeOperation[]): number {
    let queued = 0
    for (const op of ops) {
      const { problem, valueText } = op.spaceId === spaceId ? checkOperation(op) : elsewhere
      if (problem !== undefined) {
        record.rejected.set(opKey(op), { op, code: 'invalid_batch', message: problem })
        continue
      }
      record.outbox.set(++this.#memory.lastOrder, { op, valueText })
      queued++
    }
    return queued
  }
}

/** Removes an operation from its tree. One of the log with the same id and another content stays. */
function drop(record: SpaceData, op: TreeOperation): void {
  const tree = record.trees.get(op.treeId)
  const held = tree?.get(op)?.op
  if (held === undefined || !hasSameContent(held, op)) return
  tree?.delete(op)
  if (tree?.size === 0) record.trees.delete(op.treeId)
}

function hold(record: SpaceData, ops: readonly TreeOperation[], receivedIn: number): void {
  for (const op of ops) {
    let tree = record.trees.get(op.treeId)
    if (tree === undefined) record.trees.set(op.treeId, (tree = new OpMap<HeldOp>()))
    tree.set(op, { op, receivedIn })
  }
}

/** Keeps who committed operations. `replacing` are about to take the place of those with the same id. */
function attest(
  record: SpaceData,
  attested: readonly AttestedRun[],
  replacing: readonly TreeOperation[] = [],
): void {
  /** By their ids, once two logs have named different users, which is rare. */
  let byKey: Map<string, TreeOperation> | undefined
  for (const { treeId, peerId, ...run } of attested) {
    const tree = record.attested.get(treeId) ?? new Map<PeerId, ClockRun[]>()
    record.attested.set(treeId, tree)
    const runs = tree.get(peerId) ?? []
    tree.set(peerId, runs)
    const held = record.trees.get(treeId)
    for (const { from, to } of disputedBy(runs, run)) {
      byKey ??= new Map(replacing.map((op) => [opKey(op), op]))
      for (let clock = from; clock <= to; clock++) {
        const known = held?.get({ clock, peerId })?.op
        const op = byKey.get(opKey({ treeId, clock, peerId }))
        if (known !== undefined && op !== undefined && !hasSameContent(known, op)) forgetRun(runs, clock)
      }
    }
    addRun(runs, run)
  }
}

function moveState(record: SpaceData, state: SyncState): void {
  if (beginsReconciliation(record.sync, state)) record.reconciliation += 1
  record.sync = { ...state }
}
