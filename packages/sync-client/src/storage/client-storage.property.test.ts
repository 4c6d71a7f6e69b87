import { opKey, type LogId, type SpaceId, type TreeId, type TreeOperation, type UserId } from '@t69/protocol'
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import fc from 'fast-check'
import { expect, test } from 'vitest'

import { runsOf, type AttestedRun } from './attested-runs.ts'
import { someOps } from './client-storage.contract.ts'
import type { ClientStorage, SyncState } from './client-storage.ts'
import { openIndexedDbStorage } from './indexeddb/indexeddb-storage.ts'
import { memoryStorage } from './memory-storage.ts'

const spaceId = 'a'.repeat(32) as SpaceId
const trees = [spaceId as string, 'b'.repeat(32), 'c'.repeat(32)] as TreeId[]

/** The expected content of a storage, as plain maps by operation id. */
interface Model {
  readonly held: Map<string, TreeOperation>
  readonly outbox: Map<string, TreeOperation>
  readonly rejected: Map<string, TreeOperation>
  /** Who committed each operation, as it was attested first. */
  readonly authors: Map<string, UserId>
  state: SyncState | undefined
  clock: number
  logs: number
}

type Step =
  | { readonly kind: 'edit' | 'receive'; readonly tree: number; readonly count: number }
  | { readonly kind: 'push'; readonly budget: number; readonly refuse: number }
  | { readonly kind: 'reconcile'; readonly every: number; readonly pages: number }
  | { readonly kind: 'retry' | 'discard' | 'reload' | 'repeat' }

const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('edit' as const, 'receive' as const),
    tree: fc.nat(2),
    count: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 60, max: 90 })),
  }),
  fc.record({
    kind: fc.constant('push' as const),
    budget: fc.nat(5000),
    refuse: fc.integer({ min: 1, max: 6 }),
  }),
  fc.record({
    kind: fc.constant('reconcile' as const),
    every: fc.integer({ min: 1, max: 4 }),
    pages: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({
    kind: fc.constantFrom('retry' as const, 'discard' as const, 'reload' as const, 'repeat' as const),
  }),
)

interface Subject {
  open(): Promise<ClientStorage>
  /** Runs the housekeeping that the storage has scheduled. */
  idle(): Promise<void>
}

function memorySubject(): Subject {
  const storage = memoryStorage()
  return { open: async () => storage, idle: async () => undefined }
}

function indexedDbSubject(): Subject {
  const indexedDB = new IDBFactory()
  let waiting: (() => void)[] = []
  return {
    open: () => openIndexedDbStorage({ indexedDB, IDBKeyRange, whenIdle: (work) => waiting.push(work) }),
    idle: async () => {
      const work = waiting
      waiting = []
      for (const run of work) run()
    },
  }
}

async function holdsModel(subject: Subject, steps: readonly Step[]): Promise<void> {
  const model: Model = {
    held: new Map(),
    outbox: new Map(),
    rejected: new Map(),
    authors: new Map(),
    state: undefined,
    clock: 1,
    logs: 0,
  }
  let storage = await subject.open()
  for (const step of steps) {
    if (step.kind === 'reload') {
      await storage.close()
      storage = await subject.open()
    }
    await applyStep(storage, model, step)
    await subject.idle()
    await expectModel(storage, model)
  }
  await storage.close()
}

async function applyStep(storage: ClientStorage, model: Model, step: Step): Promise<void> {
  switch (step.kind) {
    case 'edit': {
      const ops = freshOps(model, step)
      await storage.appendLocal(spaceId, ops)
      put(model.held, ops)
      if (model.state !== undefined) put(model.outbox, ops)
      return
    }
    case 'receive': {
      if (model.state === undefined) return
      const ops = freshOps(model, step)
      model.state = { ...model.state, cursor: model.state.cursor + ops.length }
      await storage.appendRemote(spaceId, ops, model.state, attest(model, ops, step.tree))
      put(model.held, ops)
      return
    }
    case 'repeat': {
      if (model.state === undefined) return
      const ops = [...model.held.values()]
      await storage.appendRemote(spaceId, ops, model.state, attest(model, ops, 3))
      return
    }
    case 'push': {
      if (model.state === undefined) return
      const slice = await storage.readOutbox(spaceId, step.budget)
      if (slice === undefined) return
      const refused = slice.ops.filter((_, index) => index % step.refuse === 1)
      const rejected = refused.map((op) => ({ op, code: 'op_conflict' as const, message: 'taken' }))
      const taken = slice.ops.filter((op) => !refused.includes(op))
      await storage.settleOutbox(spaceId, slice.entries, rejected, model.state, attest(model, taken, 4))
      for (const op of slice.ops) model.outbox.delete(opKey(op))
      put(model.rejected, refused)
      return
    }
    case 'retry': {
      if (model.state === undefined) return
      await storage.retryRejected(spaceId)
      put(model.outbox, model.rejected.values())
      model.rejected.clear()
      return
    }
    case 'discard': {
      await storage.discardRejected(spaceId)
      for (const key of model.rejected.keys()) model.held.delete(key)
      model.rejected.clear()
      return
    }
    case 'reconcile':
      await reconcile(storage, model, step)
      return
    case 'reload':
      return
    default:
      step satisfies never
  }
}

/** Reconciles with a server that has every `every`th operation, and one of its own per page, under a new log id. */
async function reconcile(
  storage: ClientStorage,
  model: Model,
  { every, pages }: { readonly every: number; readonly pages: number },
): Promise<void> {
  model.logs += 1
  const logId = String(model.logs).padStart(32, '0') as LogId
  let state: SyncState = { identity: null, logId, epoch: null, cursor: 0, reconciling: true }
  await storage.putSyncState(spaceId, state)
  const onServer = [...model.held.values()].filter((_, index) => index % every === 0)
  const received = new Set(onServer.map(opKey))
  const size = Math.ceil(onServer.length / pages)
  for (let page = 0; page < pages; page++) {
    const own = freshOps(model, { tree: page % trees.length, count: 1 })
    const ops = [...onServer.slice(page * size, (page + 1) * size), ...own]
    for (const op of own) received.add(opKey(op))
    state = { ...state, cursor: state.cursor + ops.length }
    await storage.appendRemote(spaceId, ops, state, attest(model, ops, model.logs % 4))
    put(model.held, own)
  }
  const missing = [...model.held.values()].filter((op) => {
    const key = opKey(op)
    return !received.has(key) && !model.outbox.has(key) && !model.rejected.has(key)
  })
  expect(await storage.queueMissing(spaceId, logId)).toBe(missing.length)
  put(model.outbox, missing)
  model.state = { ...state, reconciling: false }
}

async function expectModel(storage: ClientStorage, model: Model): Promise<void> {
  const held: TreeOperation[] = []
  for (const treeId of trees) held.push(...(await storage.readTree(spaceId, treeId)))
  expect(keys(held)).toEqual(keys(model.held.values()))
  const attested = (await Promise.all(trees.map((treeId) => storage.readAttested(spaceId, treeId)))).flat()
  const authors = attested.flatMap(({ treeId, peerId, from, to, userId }) =>
    Array.from(
      { length: to - from + 1 },
      (_, n) => [opKey({ treeId, peerId, clock: from + n }), userId] as const,
    ),
  )
  expect(new Map(authors)).toEqual(model.authors)
  expect(authors.length).toBe(model.authors.size)
  const waiting = (await storage.readOutbox(spaceId, Number.MAX_SAFE_INTEGER))?.ops ?? []
  expect(keys(waiting)).toEqual(keys(model.outbox.values()))
  const rejected = await storage.readRejected(spaceId)
  expect(keys(rejected.map((edit) => edit.op))).toEqual(keys(model.rejected.values()))
  expect(await storage.countPending(spaceId)).toEqual({
    pending: model.outbox.size,
    rejected: model.rejected.size,
  })
  expect(await storage.getSyncState(spaceId)).toEqual(model.state)
}

/** What a log attests of operations: one user committed them, at a time of their own. */
function attest(model: Model, ops: readonly TreeOperation[], user: number): AttestedRun[] {
  const userId = String(user).repeat(32) as UserId
  for (const op of ops) if (!model.authors.has(opKey(op))) model.authors.set(opKey(op), userId)
  return runsOf(ops, { userId, at: ops.length })
}

function freshOps(
  model: Model,
  { tree, count }: { readonly tree: number; readonly count: number },
): TreeOperation[] {
  const from = model.clock
  model.clock += count
  const treeId = trees[tree]
  return treeId === undefined ? [] : someOps({ from, count, tree: treeId })
}

function put(map: Map<string, TreeOperation>, ops: Iterable<TreeOperation>): void {
  for (const op of ops) map.set(opKey(op), op)
}

function keys(ops: Iterable<TreeOperation>): string[] {
  return Array.from(ops, opKey).toSorted()
}

const steps = fc.array(stepArbitrary, { minLength: 1, maxLength: 14 })

test('memory storage matches a plain map of operations after any sequence of calls', async () => {
  const property = fc.asyncProperty(steps, (some) => holdsModel(memorySubject(), some))
  await expect(fc.assert(property, { numRuns: 200 })).resolves.toBeUndefined()
})

test('IndexedDB storage matches a plain map of operations after any sequence of calls', async () => {
  const property = fc.asyncProperty(steps, (some) => holdsModel(indexedDbSubject(), some))
  await expect(fc.assert(property, { numRuns: 60 })).resolves.toBeUndefined()
}, 60_000)
