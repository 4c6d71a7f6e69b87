import {
  encodeBatch,
  limits,
  opKey,
  type AccessId,
  type Epoch,
  type JsonValue,
  type LogId,
  type PeerId,
  type PropertyOperation,
  type RegistrationId,
  type SpaceId,
  type SpaceIdentity,
  type TreeId,
  type TreeOperation,
  type UserId,
  type VertexId,
} from '@t69/protocol'

import { runsOf, type AttestedRun, type Attestation } from './attested-runs.ts'
import type { ClientStorage, KeptSeal, RejectedEdit, StoredSpace, SyncState } from './client-storage.ts'
import { SupersededError } from './leader-term.ts'

/**
 * The contract of `ClientStorage`, as cases that need no test runner: they run under vitest on memory and on a simulated
 * IndexedDB, and in a browser's page on its real one.
 */
export interface StorageCase {
  readonly name: string
  readonly run: (device: Device) => Promise<void>
}

/** One device. Opening it again stands for a reload. */
export interface Device {
  open(): Promise<ClientStorage>
}

const spaceId = 'a'.repeat(32) as SpaceId
const otherSpaceId = 'b'.repeat(32) as SpaceId
const spaceTree = 'a'.repeat(32) as TreeId
const chat = 'c'.repeat(32) as TreeId
const otherChat = 'd'.repeat(32) as TreeId
const log = '1'.repeat(32) as LogId
const newLog = '2'.repeat(32) as LogId
const epoch = 'e'.repeat(32) as Epoch

const space: StoredSpace = {
  id: spaceId,
  uri: `browser://${spaceId}`,
  name: 'Notes',
  createdAt: new Date('2025-06-20T10:00:00Z'),
  userId: null,
}

function following(cursor: number, logId = log): SyncState {
  return { identity: null, logId, epoch, cursor, reconciling: false }
}

const seal: KeptSeal = { accessId: 'b'.repeat(32) as AccessId, seal: 'the members', role: 'owner' }
const registration = '9'.repeat(32) as RegistrationId

function reconciling(cursor: number, logId = log): SyncState {
  return { identity: null, logId, epoch, cursor, reconciling: true }
}

const byAnna: Attestation = { userId: 'a'.repeat(32) as UserId, at: 1_000 }
const byBen: Attestation = { userId: 'b'.repeat(32) as UserId, at: 2_000 }
const byEve: Attestation = { userId: 'e'.repeat(32) as UserId, at: 3_000 }

export interface OpsOptions {
  readonly count?: number
  readonly from?: number
  readonly tree?: TreeId
  readonly space?: SpaceId
  readonly peer?: string
  readonly value?: JsonValue
}

/** Property operations of one peer with clocks `from`, `from + 1`, … */
export function someOps({
  count = 1,
  from = 1,
  tree = chat,
  space: inSpace = spaceId,
  peer = '1234',
  value = 'text',
}: OpsOptions = {}): PropertyOperation[] {
  return Array.from({ length: count }, (_, index) => ({
    clock: from + index,
    peerId: peer as PeerId,
    treeId: tree,
    spaceId: inSpace,
    targetId: tree as string as VertexId,
    key: 'title',
    value,
  }))
}

function sortedRuns(runs: readonly AttestedRun[]): AttestedRun[] {
  return runs.toSorted((a, b) => a.peerId.localeCompare(b.peerId) || a.from - b.from)
}

function refused(op: TreeOperation): RejectedEdit {
  return { op, code: 'op_conflict', message: 'taken' }
}

/** A tree's operations in a comparable order. */
async function treeOf(storage: ClientStorage, treeId = chat, inSpace = spaceId): Promise<TreeOperation[]> {
  return sorted(await storage.readTree(inSpace, treeId))
}

export function sorted(ops: readonly TreeOperation[]): TreeOperation[] {
  const text = (op: TreeOperation) => `${String(op.clock).padStart(16, '0')}@${op.peerId}/${op.treeId}`
  return ops.toSorted((a, b) => (text(a) < text(b) ? -1 : 1))
}

/** Returns everything in the outbox, in order, and leaves it there. */
async function outboxOf(storage: ClientStorage): Promise<readonly TreeOperation[]> {
  return (await storage.readOutbox(spaceId, Number.MAX_SAFE_INTEGER))?.ops ?? []
}

/** Reads and settles the whole outbox, slice by slice, and returns its operations. */
async function drain(storage: ClientStorage, state: SyncState): Promise<TreeOperation[]> {
  const sent: TreeOperation[] = []
  for (;;) {
    const slice = await storage.readOutbox(spaceId, limits.batchBudgetBytes)
    if (slice === undefined) return sent
    sent.push(...slice.ops)
    await storage.settleOutbox(spaceId, slice.entries, [], state)
  }
}

/** Compares by value: objects by their sorted keys, an undefined field like a missing one. */
function same(actual: unknown, expected: unknown, what = 'value'): void {
  const [left, right] = [canonical(actual), canonical(expected)]
  if (left !== right) throw new Error(`${what}: expected ${brief(right)}, got ${brief(left)}`)
}

function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, item: unknown) => {
      if (typeof item !== 'object' || item === null || Array.isArray(item)) return item
      return Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    }) ?? 'undefined'
  )
}

function brief(text: string): string {
  return text.length > 600 ? `${text.slice(0, 600)}… (${text.length})` : text
}

const sizes = [1, 63, 64, 700]

export const clientStorageCases: readonly StorageCase[] = [
  {
    name: 'an unknown space has nothing',
    async run(device) {
      const storage = await device.open()
      same(await storage.listSpaces(), [])
      same(await storage.getSpace(spaceId), undefined)
      same(await storage.readTree(spaceId, chat), [])
      same(await storage.getSyncState(spaceId), undefined)
      same(await storage.readOutbox(spaceId, 1000), undefined)
      same(await storage.countPending(spaceId), { pending: 0, rejected: 0 })
      same(await storage.readRejected(spaceId), [])
      same(await storage.getProof(spaceId), { registration: null, seal: null })
      same(await storage.listTrees(spaceId), [])
      same(await storage.readAttested(spaceId, chat), [])
      same(await storage.getConfig('theme'), undefined)
    },
  },
  {
    name: 'a space is read as it was last put, also after a reload',
    async run(device) {
      const storage = await device.open()
      await storage.putSpace({ ...space, name: 'Old' })
      await storage.putSpace(space)
      const owner = { userId: 'f'.repeat(32) as UserId, server: 'https://sync.example/' }
      const other = { ...space, id: otherSpaceId, name: null, ...owner }
      await storage.putSpace(other)
      await storage.close()
      const again = await device.open()
      const read = await again.getSpace(spaceId)
      same(read, space)
      same(read?.createdAt instanceof Date, true, 'createdAt is a Date')
      same(
        (await again.listSpaces()).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
        [space, other],
      )
    },
  },
  {
    name: 'edits of a local space are in their trees after a reload, and not in an outbox',
    async run(device) {
      const storage = await device.open()
      const ofChat = someOps({ count: 3 })
      const ofOther = someOps({ count: 2, tree: otherChat })
      await storage.appendLocal(spaceId, [...ofChat, ...ofOther])
      await storage.appendLocal(spaceId, [])
      same(await outboxOf(storage), [])
      await storage.close()
      const again = await device.open()
      same(await treeOf(again), ofChat)
      same(await treeOf(again, otherChat), ofOther)
      same(await again.readTree(spaceId, spaceTree), [])
    },
  },
  {
    name: 'equal operation ids in two trees and two spaces are different operations',
    async run(device) {
      const storage = await device.open()
      const mine = someOps({ value: 'mine' })
      const elsewhere = someOps({ value: 'elsewhere', space: otherSpaceId })
      const beside = someOps({ value: 'beside', tree: otherChat })
      await storage.appendLocal(spaceId, [...mine, ...beside])
      await storage.appendLocal(otherSpaceId, elsewhere)
      same(await treeOf(storage), mine)
      same(await treeOf(storage, otherChat), beside)
      same(await treeOf(storage, chat, otherSpaceId), elsewhere)
    },
  },
  {
    name: 'moves, values, null and removals are read as they were written, from few and from many',
    async run(device) {
      const storage = await device.open()
      await storage.putSyncState(spaceId, following(0))
      for (const [index, filler] of [0, 100].entries()) {
        const tree = [chat, otherChat][index] ?? chat
        const [one] = someOps({ tree })
        if (one === undefined) throw new Error('no operation')
        const { key: _key, value: _value, ...base } = one
        const child = 'f'.repeat(32) as VertexId
        const ops: TreeOperation[] = [
          { ...base, clock: 1, parentId: null },
          { ...base, clock: 2, targetId: child, parentId: base.targetId },
          { ...base, clock: 3, key: 'value', value: { list: [1, 'two', null, true], '': {} } },
          { ...base, clock: 4, key: 'null', value: null },
          { ...base, clock: 5, key: 'removed' },
          ...someOps({ tree, from: 6, count: filler }),
        ]
        await storage.appendRemote(spaceId, ops, following(ops.length))
        const read = await treeOf(storage, tree)
        same(read, ops)
        same(read[3]?.value, null)
        same(read[4]?.value, undefined)
        same(read[0]?.parentId, null)
      }
    },
  },
  {
    name: 'edits of a synced space wait in the outbox, oldest first, also after a reload',
    async run(device) {
      const storage = await device.open()
      await storage.putSyncState(spaceId, following(0))
      const edits = someOps({ count: 5 })
      for (const op of edits) await storage.appendLocal(spaceId, [op])
      await storage.close()
      const again = await device.open()
      same(await outboxOf(again), edits)
      same(await treeOf(again), edits)
      same(await again.countPending(spaceId), { pending: 5, rejected: 0 })
      same(await again.countPending(otherSpaceId), { pending: 0, rejected: 0 })
    },
  },
  {
    name: 'edits appended at the same time are all stored and all in the outbox',
    async run(device) {
      const storage = await device.open()
      await storage.putSyncState(spaceId, following(0))
      const edits = someOps({ count: 30 })
      await Promise.all(edits.map((op) => storage.appendLocal(spaceId, [op])))
      same(await treeOf(storage), edits)
      same(sorted(await outboxOf(storage)), edits)
      same((await storage.countPending(spaceId)).pending, 30)
    },
  },
  {
    name: 'a slice of the outbox holds at least one entry and no more than the budget',
    async run(device) {
      const storage = await device.open()
      await storage.putSyncState(spaceId, following(0))
      const edits = someOps({ count: 8, value: 'x'.repeat(1000) })
      for (const op of edits) await storage.appendLocal(spaceId, [op])
      const slice = await storage.readOutbox(spaceId, 3000)
      same(slice?.ops, edits.slice(0, 2))
      same(slice?.entries.length, 2)
      same([...(slice?.batch ?? [])], [...encodeBatch({ spaceId, ops: edits.slice(0, 2) })])
      const first = await storage.readOutbox(spaceId, 1)
      same(first?.ops, edits.slice(0, 1))
      same([...(first?.batch ?? [])], [...encodeBatch({ spaceId, ops: edits.slice(0, 1) })])
      same((await drain(storage, following(8))).length, 8)
    },
  },
  {
    name: 'the range of the outbox names its oldest and its newest entry, and names rise, also after a reload',
    async run(device) {
      const storage = await device.open()
      same(await storage.outboxRange(spaceId), undefined)
      await storage.putSyncState(spaceId, following(0))
      await storage.putSyncState(otherSpaceId, following(0))
      const [first, second, third] = someOps({ count: 3 })
      await storage.appendLocal(spaceId, [first!])
      await storage.appendLocal(spaceId, [second!])
      await storage.appendLocal(otherSpaceId, [{ ...third!, spaceId: otherSpaceId }])
      const entries = (await storage.readOutbox(spaceId, Number.MAX_SAFE_INTEGER))!.entries
      same(await storage.outboxRange(spaceId), { oldest: entries[0], newest: entries[1] })
      await storage.settleOutbox(spaceId, [entries[0]!], [], following(1))
      same(await storage.outboxRange(spaceId), { oldest: entries[1], newest: entries[1] })
      await storage.settleOutbox(spaceId, [entries[1]!], [], following(2))
      same(await storage.outboxRange(spaceId), undefined)
      await storage.close()
      const again = await device.open()
      await again.appendLocal(spaceId, [third!])
      same((await again.outboxRange(spaceId))!.oldest > entries[1]!, true, 'names rise')
    },
  },
  {
    name: 'many edits at once become several entries, each of one batch',
    async run(device) {
      const storage = await device.open()
      await storage.putSyncState(spaceId, following(0))
      const edits = someOps({ count: 1200, value: 'y'.repeat(900) })
      await storage.appendLocal(spaceId, edits)
      same((await storage.countPending(spaceId)).pending, 1200)
      const sent: TreeOperation[] = []
      for (;;) {
        const slice = await storage.readOutbox(spaceId, limits.batchBudgetBytes)
        if (slice === undefined) break
        const bytes = encodeBatch({ spaceId, ops: slice.ops }).length
        same(bytes <= limits.batchBudgetBytes, true, `${bytes} bytes fit`)
        sent.push(...slice.ops)
        await storage.settleOutbox(spaceId, slice.entries, [], following(sent.length))
      }
      same(sent, edits)
      same(await treeOf(storage), edits)
    },
  },
  {
    name: 'an edit larger than the budget is an entry of its own',
    async run(device) {
      const storage = await device.open()
      await storage.putSyncState(spaceId, following(0))
      const edits = [
        ...someOps(),
        ...someOps({ from: 2, value: 'z'.repeat(limits.batchBudgetBytes + 1) }),
        ...someOps({ from: 3 }),
      ]
      await storage.appendLocal(spaceId, edits)
      const counts: number[] = []
      for (;;) {
        const slice = await storage.readOutbox(spaceId, limits.batchBudgetBytes)
        if (slice === undefined) break
        counts.push(slice.ops.length)
        await storage.settleOutbox(spaceId, slice.entries, [], following(0))
      }
      same(counts, [1, 1, 1])
    },
  },
  {
    name: 'settling removes the entries, files the refused edits and moves the state; repeating it is harmless',
    async run(device) {
      const storage = await device.open()
      await storage.putSyncState(spaceId, following(0))
      const edits = someOps({ count: 4 })
      for (const op of edits) await storage.appendLocal(spaceId, [op])
      const slice = await storage.readOutbox(spaceId, 1)
      const first = slice?.ops[0]
      if (slice === undefined || first === undefined) throw new Error('the outbox is empty')
      for (let times = 0; times < 2; times++) {
        await storage.settleOutbox(spaceId, slice.entries, [refused(first)], following(7))
        same(await outboxOf(storage), edits.slice(1))
        same(await storage.readRejected(spaceId), [refused(first)])
        same(await storage.countPending(spaceId), { pending: 3, rejected: 1 })
        same(await storage.getSyncState(spaceId), following(7))
        same(await treeOf(storage), edits)
      }
    },
  },
  {
    name: 'operations from the log are stored with the state that covers them; repeating it is harmless',
    async run(device) {
      const storage = await device.open()
      let from = 1
      for (const count of sizes) {
        const page = someOps({ from, count, peer: '99' })
        from += count
        await storage.appendRemote(spaceId, page, following(from - 1))
        await storage.appendRemote(spaceId, page, following(from - 1))
      }
      await storage.close()
      const again = await device.open()
      same(await treeOf(again), someOps({ count: from - 1, peer: '99' }))
      same(await again.getSyncState(spaceId), following(from - 1))
      same(await outboxOf(again), [])
    },
  },
  {
    name: 'an operation of the log replaces one with the same id, from few and from many',
    async run(device) {
      const storage = await device.open()
      for (const local of sizes) {
        for (const remote of sizes) {
          const tree = `t-${local}-${remote}` as TreeId
          await storage.appendLocal(spaceId, someOps({ tree, count: local, value: 'here' }))
          const page = someOps({ tree, count: remote, value: 'log' })
          await storage.appendRemote(spaceId, page, following(remote))
          const rest = someOps({ tree, count: local, value: 'here' }).slice(remote)
          same(await treeOf(storage, tree), [...page, ...rest], tree)
        }
      }
    },
  },
  {
    name: 'an edit that no server would accept is kept and set aside, and holds up no other',
    async run(device) {
      const storage = await device.open()
      await storage.putSyncState(spaceId, following(0))
      for (const count of sizes) {
        const tree = `t-${count}` as TreeId
        const [invalid] = someOps({ tree, from: 5000 })
        if (invalid === undefined) throw new Error('no operation')
        const edits = [{ ...invalid, value: Number.NaN }, ...someOps({ tree, count })]
        await storage.appendLocal(spaceId, edits)
        same(await drain(storage, following(count)), someOps({ tree, count }))
        const kept = await treeOf(storage, tree)
        same(kept.length, count + 1)
        same(Number.isNaN(kept.at(-1)?.value), true, 'NaN is still there')
      }
      const aside = await storage.readRejected(spaceId)
      same(
        aside.map((edit) => edit.code),
        sizes.map(() => 'invalid_batch'),
      )
      await storage.retryRejected(spaceId)
      same(await storage.countPending(spaceId), { pending: 0, rejected: sizes.length })
    },
  },
  {
    name: 'refused edits go back into the outbox when they are retried',
    async run(device) {
      const storage = await device.open()
      await storage.putSyncState(spaceId, following(0))
      const edits = someOps({ count: 3 })
      await storage.appendLocal(spaceId, edits)
      const slice = await storage.readOutbox(spaceId, limits.batchBudgetBytes)
      await storage.settleOutbox(spaceId, slice?.entries ?? [], edits.slice(1).map(refused), following(1))
      same(await outboxOf(storage), [])
      await storage.retryRejected(spaceId)
      same(sorted(await outboxOf(storage)), edits.slice(1))
      same(await storage.countPending(spaceId), { pending: 2, rejected: 0 })
    },
  },
  {
    name: 'a refused edit that is renamed leaves its tree, unless the log has another operation with its id',
    async run(device) {
      const storage = await device.open()
      await storage.putSyncState(spaceId, following(0))
      const edits = someOps({ count: 3 })
      await storage.appendLocal(spaceId, edits)
      const taken = edits.slice(1, 2).map((op) => ({ ...op, value: 'of somebody else' }))
      await storage.appendRemote(spaceId, taken, following(1))
      const slice = await storage.readOutbox(spaceId, limits.maxBatchBytes)
      await storage.settleOutbox(spaceId, slice?.entries ?? [], edits.map(refused), following(1))
      const next = edits.slice(1).map((op) => ({ ...op, clock: op.clock + 10 }))
      await storage.retryRejected(spaceId, new Map(edits.slice(1).map((op, i) => [opKey(op), next[i] ?? op])))
      same(sorted(await outboxOf(storage)), sorted([...edits.slice(0, 1), ...next]))
      same(sorted(await treeOf(storage, edits[0]?.treeId)), sorted([...edits.slice(0, 1), ...taken, ...next]))
      same(await storage.countPending(spaceId), { pending: 3, rejected: 0 })
    },
  },
  {
    name: 'discarded edits leave the tree, unless the log has another operation with that id',
    async run(device) {
      const storage = await device.open()
      await storage.putSyncState(spaceId, following(0))
      for (const count of sizes) {
        const tree = `t-${count}` as TreeId
        const edits = someOps({ tree, count: count + 2 })
        await storage.appendLocal(spaceId, edits)
        const slice = await storage.readOutbox(spaceId, limits.maxBatchBytes)
        const taken = someOps({ tree, from: count + 2, value: 'of somebody else' })
        await storage.appendRemote(spaceId, taken, following(count))
        await storage.settleOutbox(
          spaceId,
          slice?.entries ?? [],
          edits.slice(count).map(refused),
          following(count),
        )
        await storage.discardRejected(spaceId)
        same(await treeOf(storage, tree), [...edits.slice(0, count), ...taken], tree)
        same(await storage.countPending(spaceId), { pending: 0, rejected: 0 })
      }
    },
  },
  {
    name: 'deleting a space removes all of it, and nothing of other spaces',
    async run(device) {
      const storage = await device.open()
      for (const id of [spaceId, otherSpaceId]) {
        await storage.putSpace({ ...space, id })
        await storage.putSyncState(id, following(0))
        await storage.appendLocal(id, someOps({ space: id, count: 3 }))
        const received = someOps({ space: id, from: 10, count: 200 })
        await storage.appendRemote(id, received, following(200), runsOf(received, byAnna))
      }
      for (const key of [`view:${spaceId}`, `view:${otherSpaceId}`, 'other']) await storage.putConfig(key, 1)
      await storage.deleteSpace(spaceId)
      same(await storage.getConfig(`view:${spaceId}`), undefined)
      same([await storage.getConfig(`view:${otherSpaceId}`), await storage.getConfig('other')], [1, 1])
      same(await storage.getSpace(spaceId), undefined)
      same(await storage.readTree(spaceId, chat), [])
      same(await storage.readAttested(spaceId, chat), [])
      same((await storage.readAttested(otherSpaceId, chat)).length, 1)
      same(await storage.getSyncState(spaceId), undefined)
      same(await storage.readOutbox(spaceId, 1000), undefined)
      same(await storage.countPending(spaceId), { pending: 0, rejected: 0 })
      same((await storage.readTree(otherSpaceId, chat)).length, 203)
      same(await storage.countPending(otherSpaceId), { pending: 3, rejected: 0 })
    },
  },
  {
    name: 'attaching a local space queues all of it, the space tree first, each tree from its oldest clock',
    async run(device) {
      const storage = await device.open()
      const ofSpace = someOps({ tree: spaceTree, from: 50, count: 10 })
      const ofChat = someOps({ count: 500 })
      await storage.appendLocal(spaceId, ofChat.toReversed())
      await storage.appendLocal(spaceId, ofSpace)
      await storage.appendLocal(spaceId, someOps({ tree: otherChat, space: otherSpaceId }))
      await storage.putSyncState(spaceId, reconciling(0))
      same(await storage.queueMissing(spaceId, log), 510)
      same(await storage.getSyncState(spaceId), following(0))
      same((await storage.countPending(spaceId)).pending, 510)
      same(await drain(storage, following(0)), [...ofSpace, ...ofChat])
    },
  },
  {
    name: 'a reconciliation queues the operations that were neither received, nor queued, nor refused',
    async run(device) {
      const storage = await device.open()
      const held = someOps({ count: 300 })
      await storage.appendLocal(spaceId, held)
      await storage.putSyncState(spaceId, reconciling(0))
      await storage.appendLocal(spaceId, someOps({ from: 301 }))
      const [rejectedOp] = someOps({ from: 302 })
      if (rejectedOp === undefined) throw new Error('no operation')
      await storage.settleOutbox(spaceId, [], [refused(rejectedOp)], reconciling(0))
      await storage.appendLocal(otherSpaceId, someOps({ space: otherSpaceId }))
      await storage.appendRemote(spaceId, [...held.slice(0, 200), rejectedOp], reconciling(201))
      await storage.appendRemote(spaceId, held.slice(200, 203), reconciling(204))
      same(await storage.queueMissing(spaceId, log), 97)
      same(await outboxOf(storage), [...someOps({ from: 301 }), ...held.slice(203)])
      same(await storage.getSyncState(spaceId), following(204))
      same(await treeOf(storage), [...held, ...someOps({ from: 301, count: 2 })])
      same(await storage.queueMissing(spaceId, log), 0)
      same((await storage.countPending(spaceId)).pending, 98)
    },
  },
  {
    name: 'a reconciliation that may not queue ends only if nothing is missing',
    async run(device) {
      const storage = await device.open()
      const held = someOps({ count: 20 })
      await storage.appendLocal(spaceId, held)
      await storage.putSyncState(spaceId, reconciling(0))
      await storage.appendRemote(spaceId, held.slice(0, 15), reconciling(15))
      same((await storage.queueMissing(spaceId, log, false)) > 0, true)
      same(await storage.getSyncState(spaceId), reconciling(15))
      same(await outboxOf(storage), [])
      // What arrives later counts as received.
      await storage.appendRemote(spaceId, held.slice(15), reconciling(20))
      same(await storage.queueMissing(spaceId, log, false), 0)
      same(await storage.getSyncState(spaceId), following(20))
    },
  },
  {
    name: 'edits that were committed or refused during a reconciliation are not queued again',
    async run(device) {
      const storage = await device.open()
      const edits = someOps({ count: 4 })
      await storage.putSyncState(spaceId, reconciling(0))
      await storage.appendLocal(spaceId, edits)
      const slice = await storage.readOutbox(spaceId, limits.batchBudgetBytes)
      await storage.settleOutbox(spaceId, slice?.entries ?? [], edits.slice(3).map(refused), reconciling(3))
      same(await storage.queueMissing(spaceId, log), 0)
      same(await outboxOf(storage), [])
    },
  },
  {
    name: 'a reconciliation continues after a reload',
    async run(device) {
      const storage = await device.open()
      const held = someOps({ count: 150 })
      await storage.appendLocal(spaceId, held)
      await storage.putSyncState(spaceId, reconciling(0))
      await storage.appendRemote(spaceId, held.slice(0, 100), reconciling(100))
      await storage.close()
      const again = await device.open()
      await again.putSyncState(spaceId, reconciling(100))
      await again.appendRemote(spaceId, held.slice(100, 140), reconciling(140))
      same(await again.queueMissing(spaceId, log), 10)
      same(await outboxOf(again), held.slice(140))
    },
  },
  {
    name: 'what a new log lacks is queued, and what the same log lacks when it is read again from its start',
    async run(device) {
      const storage = await device.open()
      const held = someOps({ count: 200 })
      await storage.putSyncState(spaceId, reconciling(0))
      await storage.appendRemote(spaceId, held, reconciling(200))
      same(await storage.queueMissing(spaceId, log), 0)
      await storage.putSyncState(spaceId, reconciling(0, newLog))
      await storage.appendRemote(spaceId, held.slice(0, 150), reconciling(150, newLog))
      same(await storage.queueMissing(spaceId, newLog), 50)
      same(await drain(storage, following(200, newLog)), held.slice(150))
      await storage.putSyncState(spaceId, reconciling(0, newLog))
      await storage.appendRemote(spaceId, held.slice(0, 120), reconciling(120, newLog))
      same(await storage.queueMissing(spaceId, newLog), 80)
      same(await outboxOf(storage), held.slice(120))
    },
  },
  {
    name: 'a reconciliation that starts over forgets what it had received',
    async run(device) {
      const storage = await device.open()
      const held = someOps({ count: 100 })
      await storage.putSyncState(spaceId, reconciling(0))
      await storage.appendRemote(spaceId, held, reconciling(100))
      await storage.putSyncState(spaceId, reconciling(0))
      await storage.appendRemote(spaceId, held.slice(0, 60), reconciling(60))
      same(await storage.queueMissing(spaceId, log), 40)
    },
  },
  {
    name: 'a reconciliation with another log than the current one queues nothing',
    async run(device) {
      const storage = await device.open()
      await storage.appendLocal(spaceId, someOps({ count: 3 }))
      same(await storage.queueMissing(spaceId, log), 0)
      await storage.putSyncState(spaceId, reconciling(0, newLog))
      same(await storage.queueMissing(spaceId, log), 0)
      same(await storage.getSyncState(spaceId), reconciling(0, newLog))
      same(await outboxOf(storage), [])
    },
  },
  {
    name: 'once another leader has written, every write of the one before is rejected and changes nothing',
    async run(device) {
      const storage = await device.open()
      const first = storage.forLeader()
      await first.putSyncState(spaceId, reconciling(0))
      await first.appendRemote(spaceId, someOps({ count: 2 }), reconciling(2))
      await storage.appendLocal(spaceId, someOps({ count: 3, peer: '5' }))
      // From another tab, over its own connection where there are connections.
      const second = (await device.open()).forLeader()
      await first.appendRemote(spaceId, someOps({ from: 3 }), reconciling(3))
      await second.putSyncState(spaceId, reconciling(0, newLog))
      const entries = (await first.readOutbox(spaceId, 1_000_000))?.entries ?? []
      const edit = someOps({ from: 4 })
      for (const tried of [
        () => first.putSyncState(spaceId, following(4)),
        () => first.appendRemote(spaceId, edit, following(4)),
        () => first.settleOutbox(spaceId, entries, [], following(4)),
        () => first.settleOutbox(spaceId, entries, [refused(edit[0]!)], following(4)),
        () => first.queueMissing(spaceId, newLog),
        () => first.putSeal(spaceId, seal),
      ]) {
        const outcome = await tried().then(
          () => 'done',
          (error: unknown) => error instanceof SupersededError,
        )
        same(outcome, true, 'rejected with a SupersededError')
      }
      same(await storage.getSyncState(spaceId), reconciling(0, newLog))
      same(await storage.countPending(spaceId), { pending: 3, rejected: 0 })
      same((await treeOf(storage)).length, 6)
      same(await second.queueMissing(spaceId, newLog), 3)
      // Any tab may store edits, and a tab that begins to lead again may write.
      await first.appendLocal(spaceId, edit)
      const third = storage.forLeader()
      await third.settleOutbox(spaceId, entries, [], following(4, newLog))
      same(await storage.getSyncState(spaceId), following(4, newLog))
    },
  },
  {
    name: 'a space keeps its identity with its cursor, also when the state moves and after a reload',
    async run(device) {
      const identity = 'd'.repeat(32) as SpaceIdentity
      const storage = await device.open()
      await storage.putSyncState(spaceId, { ...reconciling(0), identity })
      await storage.appendRemote(spaceId, someOps({ count: 2 }), { ...reconciling(2), identity })
      await storage.queueMissing(spaceId, log)
      await storage.close()
      same(await (await device.open()).getSyncState(spaceId), { ...following(2), identity })
    },
  },
  {
    name: 'a seal and a registration are kept until the space is deleted, and only the first registration',
    async run(device) {
      const storage = await device.open()
      same(await storage.getProof(spaceId), { registration: null, seal: null })
      same(await storage.keepRegistration(spaceId, registration), registration)
      same(await storage.keepRegistration(spaceId, '8'.repeat(32) as RegistrationId), registration)
      await storage.putSeal(spaceId, seal)
      same(await storage.getProof(spaceId), { registration, seal: null }, 'without a sync state')
      await storage.putSyncState(spaceId, following(0))
      await storage.putSeal(spaceId, seal)
      await storage.putSyncState(otherSpaceId, following(0))
      await storage.putSeal(otherSpaceId, { ...seal, role: 'viewer' })
      await storage.putSeal(otherSpaceId, null)
      await storage.close()
      const again = await device.open()
      same(await again.getProof(spaceId), { registration, seal })
      same(await again.getProof(otherSpaceId), { registration: null, seal: null })
      await again.deleteSpace(spaceId)
      same(await again.getProof(spaceId), { registration: null, seal: null }, 'after the space was deleted')
    },
  },
  {
    name: 'the trees of a space are those that have an operation, stored alone or in bulk',
    async run(device) {
      const storage = await device.open()
      same(await storage.listTrees(spaceId), [])
      await storage.appendLocal(spaceId, someOps())
      await storage.appendLocal(spaceId, someOps({ tree: otherChat, count: 700 }))
      await storage.appendLocal(otherSpaceId, someOps({ tree: spaceTree, space: otherSpaceId }))
      same((await storage.listTrees(spaceId)).toSorted(), [chat, otherChat])
    },
  },
  {
    name: 'a tree whose only edits were discarded is not one of the space any more',
    async run(device) {
      const storage = await device.open()
      await storage.putSyncState(spaceId, following(0))
      await storage.appendLocal(spaceId, [...someOps(), ...someOps({ tree: otherChat, count: 2 })])
      const slice = await storage.readOutbox(spaceId, 1_000_000)
      const rejected = (slice?.ops ?? []).filter(({ treeId }) => treeId === otherChat).map(refused)
      await storage.settleOutbox(spaceId, slice?.entries ?? [], rejected, following(1))
      const gone = await storage.discardRejected(spaceId)
      same(
        sorted(gone),
        rejected.map(({ op }) => op),
      )
      same(await storage.listTrees(spaceId), [chat])
    },
  },
  {
    name: '[CO6] who committed an operation is kept by tree and peer, also after a reload',
    async run(device) {
      const storage = await device.open()
      const ofAnna = someOps({ count: 3 })
      const ofBen = [...someOps({ from: 4, peer: '77' }), ...someOps({ tree: otherChat, count: 2 })]
      const attested = [...runsOf(ofAnna, byAnna), ...runsOf(ofBen, byBen)]
      await storage.appendRemote(spaceId, [...ofAnna, ...ofBen], following(6), attested)
      const more = someOps({ from: 4, count: 2 })
      await storage.appendRemote(spaceId, more, following(8), runsOf(more, byAnna))
      await storage.close()
      const again = await device.open()
      same(sortedRuns(await again.readAttested(spaceId, chat)), [
        { treeId: chat, peerId: '1234', from: 1, to: 5, ...byAnna },
        { treeId: chat, peerId: '77', from: 4, to: 4, ...byBen },
      ])
      same(await again.readAttested(spaceId, otherChat), runsOf(ofBen.slice(1), byBen))
      same(await again.readAttested(otherSpaceId, chat), [])
    },
  },
  {
    name: '[CO6] a clock that a peer left out is not its user’s, whoever writes it later',
    async run(device) {
      const storage = await device.open()
      const ofAnna = [...someOps({ count: 3 }), ...someOps({ from: 5, count: 3 })]
      await storage.appendRemote(spaceId, ofAnna, following(6), runsOf(ofAnna, byAnna))
      const forged = someOps({ from: 4 })
      await storage.appendRemote(spaceId, forged, following(7), runsOf(forged, byEve))
      same(sortedRuns(await storage.readAttested(spaceId, chat)), [
        { treeId: chat, peerId: '1234', from: 1, to: 3, ...byAnna },
        { treeId: chat, peerId: '1234', from: 4, to: 4, ...byEve },
        { treeId: chat, peerId: '1234', from: 5, to: 7, ...byAnna },
      ])
    },
  },
  {
    name: '[CO6] what was learned first stays when another log, or an ack, says otherwise',
    async run(device) {
      const storage = await device.open()
      const ops = someOps({ count: 4 })
      await storage.appendRemote(spaceId, ops.slice(0, 2), following(2), runsOf(ops.slice(0, 2), byAnna))
      await storage.putSyncState(spaceId, reconciling(0, newLog))
      await storage.appendRemote(spaceId, ops, reconciling(4, newLog), runsOf(ops, byBen))
      await storage.settleOutbox(spaceId, [], [], following(4, newLog), runsOf(ops, byEve))
      same(sortedRuns(await storage.readAttested(spaceId, chat)), [
        { treeId: chat, peerId: '1234', from: 1, to: 2, ...byAnna },
        { treeId: chat, peerId: '1234', from: 3, to: 4, ...byBen },
      ])
    },
  },
  {
    name: '[CO6] an operation whose content another log replaces is by who committed that content',
    async run(device) {
      const storage = await device.open()
      // A few as rows, many as segments.
      for (const [tree, count] of [
        [chat, 5],
        [otherChat, 300],
      ] as const) {
        const ops = someOps({ tree, count })
        await storage.appendRemote(spaceId, ops, following(count), runsOf(ops, byAnna))
        const forged = someOps({ tree, from: 3, value: 'You are fired' })
        const inNewLog = [...ops.slice(0, 2), ...forged, ...ops.slice(3)]
        await storage.putSyncState(spaceId, reconciling(0, newLog))
        await storage.appendRemote(spaceId, inNewLog, reconciling(count, newLog), runsOf(inNewLog, byEve))
        same((await treeOf(storage, tree))[2]?.value, 'You are fired')
        same(sortedRuns(await storage.readAttested(spaceId, tree)), [
          { treeId: tree, peerId: '1234', from: 1, to: 2, ...byAnna },
          { treeId: tree, peerId: '1234', from: 3, to: 3, ...byEve },
          { treeId: tree, peerId: '1234', from: 4, to: count, ...byAnna },
        ])
        await storage.putSyncState(spaceId, following(count))
      }
    },
  },
  {
    name: 'config values are kept by key, also after a reload',
    async run(device) {
      const storage = await device.open()
      await storage.putConfig('session', { user: { id: 'u' }, list: [1, null] })
      await storage.putConfig('session', { user: { id: 'v' } })
      await storage.putConfig('flag', null)
      await storage.putConfig('gone', 1)
      await storage.putConfig('gone', undefined)
      await storage.close()
      const again = await device.open()
      same(await again.getConfig('session'), { user: { id: 'v' } })
      same(await again.getConfig('flag'), null)
      same(await again.getConfig('gone'), undefined)
    },
  },
]
