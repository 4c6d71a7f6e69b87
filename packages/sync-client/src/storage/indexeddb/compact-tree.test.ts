import type { LogId, SpaceId, TreeId, TreeOperation } from '@t69/protocol'
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { someOps, sorted } from '../client-storage.contract.ts'
import type { ClientStorage, SyncState } from '../client-storage.ts'
import { compactTree } from './compact-tree.ts'
import { openIndexedDbStorage } from './indexeddb-storage.ts'
import { LocalDb } from './local-db-schema.ts'

const spaceId = 'a'.repeat(32) as SpaceId
const chat = 'c'.repeat(32) as TreeId
const log = '1'.repeat(32) as LogId
const state: SyncState = { identity: null, logId: log, epoch: null, cursor: 0, reconciling: false }

let db: LocalDb
let storage: ClientStorage
let idle: (() => void)[]

beforeEach(async () => {
  const indexedDB = new IDBFactory()
  idle = []
  storage = await openIndexedDbStorage({ indexedDB, IDBKeyRange, whenIdle: (work) => idle.push(work) })
  db = new LocalDb('localDb', { indexedDB, IDBKeyRange })
})

afterEach(async () => {
  await storage.close()
  db.close()
})

async function writeRows(ops: readonly TreeOperation[]): Promise<void> {
  await db.treeOps.bulkPut([...ops])
}

async function readTree(): Promise<TreeOperation[]> {
  return sorted(await storage.readTree(spaceId, chat))
}

describe('compacting a tree', () => {
  test('folds rows into few segments, and the tree reads the same', async () => {
    await writeRows(someOps({ count: 5000 }))
    const before = await readTree()
    await compactTree(db, spaceId, chat, 'tail')
    expect(await db.treeOps.count()).toBe(0)
    expect(await db.segments.count()).toBeLessThanOrEqual(3)
    expect(await readTree()).toEqual(before)
  })

  test('leaves the outbox as it is', async () => {
    await storage.putSyncState(spaceId, state)
    await storage.appendLocal(spaceId, someOps({ count: 20 }))
    await compactTree(db, spaceId, chat, 'tail')
    expect((await storage.readOutbox(spaceId, 100_000))?.ops).toEqual(someOps({ count: 20 }))
    expect(await db.treeOps.count()).toBe(0)
  })

  test('keeps rows that no batch accepts', async () => {
    await db.table('treeOps').bulkPut(someOps({ count: 600 }))
    await db.table('treeOps').put({ ...someOps({ from: 700 })[0], value: Number.NaN })
    await db.table('treeOps').put({ ...someOps({ from: 1.5 })[0] })
    await compactTree(db, spaceId, chat, 'tail')
    expect(await db.treeOps.count()).toBe(2)
    const read = await readTree()
    expect(read).toHaveLength(601)
    expect(read.at(-1)?.value).toBeNaN()
  })

  test('merges small segments, and the latest content of an operation still counts', async () => {
    for (let from = 1; from <= 30; from++) {
      await storage.appendRemote(spaceId, someOps({ from, count: 100, value: from }), state)
    }
    await storage.appendRemote(spaceId, someOps({ from: 1, value: 'row' }), state)
    const before = await readTree()
    await compactTree(db, spaceId, chat, 'tail')
    expect(await db.segments.count()).toBe(1)
    expect(await db.treeOps.count()).toBe(0)
    expect(await readTree()).toEqual(before)
    expect(before[0]?.value).toBe('row')
    expect(before[99]?.value).toBe(30)
  })

  test('leaves large segments alone, unless the tree is stored twice', async () => {
    const large = someOps({ count: 300, value: 'x'.repeat(800) })
    await storage.appendRemote(spaceId, large, state)
    await storage.appendRemote(spaceId, someOps({ from: 1000, count: 100 }), state)
    await storage.appendRemote(spaceId, someOps({ from: 2000, count: 100 }), state)
    const [first] = await db.segments.toArray()
    await compactTree(db, spaceId, chat, 'tail')
    expect(await db.segments.count()).toBe(2)
    expect(await db.segments.get(first!.id)).toEqual(first)
    await storage.appendRemote(spaceId, large, state)
    const before = await readTree()
    await compactTree(db, spaceId, chat, 'all')
    const counts = (await db.segments.toArray()).map((segment) => segment.count)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(500)
    expect(await readTree()).toEqual(before)
  })

  test('does nothing during a reconciliation, which has to know the operations that were received', async () => {
    await writeRows(someOps({ count: 600 }))
    await storage.putSyncState(spaceId, { ...state, reconciling: true })
    await storage.appendRemote(spaceId, someOps({ count: 550 }), { ...state, reconciling: true })
    await compactTree(db, spaceId, chat, 'all')
    expect(await db.treeOps.count()).toBe(50)
    expect(await storage.queueMissing(spaceId, log)).toBe(50)
  })

  test('runs when the page is idle, after reading a tree that is worth compacting', async () => {
    await storage.appendLocal(spaceId, someOps({ count: 60 }))
    await storage.readTree(spaceId, chat)
    expect(idle).toHaveLength(0)
    await writeRows(someOps({ count: 600 }))
    await storage.readTree(spaceId, chat)
    await storage.readTree(spaceId, chat)
    expect(idle).toHaveLength(1)
    idle[0]!()
    // Transactions on the same stores run in order, so the count comes after the compaction.
    await expect.poll(() => db.treeOps.count()).toBe(0)
    expect(await readTree()).toEqual(someOps({ count: 600 }))
  })
})
