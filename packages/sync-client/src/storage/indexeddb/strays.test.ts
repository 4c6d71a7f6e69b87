import type { LogId, SpaceId, TreeId, TreeOperation } from '@t69/protocol'
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { describe, expect, test } from 'vitest'

import { someOps } from '../client-storage.contract.ts'
import type { ClientStorage, SyncState } from '../client-storage.ts'
import { openIndexedDbStorage } from './indexeddb-storage.ts'
import { LocalDb } from './local-db-schema.ts'

const spaceId = 'a'.repeat(32) as SpaceId
const chat = 'c'.repeat(32) as TreeId
const logId = '1'.repeat(32) as LogId
const following: SyncState = { identity: null, logId, epoch: null, cursor: 1, reconciling: false }
const oldTabOps = (from: number, count = 1) => someOps({ from, count, peer: 'f00d' })

/** A storage, and the same database as a t69 tab of June 2025 has it open. */
async function setUp(): Promise<{
  readonly storage: ClientStorage
  readonly old: LocalDb
  readonly idle: () => Promise<void>
}> {
  const options = { indexedDB: new IDBFactory(), IDBKeyRange }
  const idle: (() => void)[] = []
  const storage = await openIndexedDbStorage({ ...options, whenIdle: (work) => idle.push(work) })
  const old = new LocalDb('localDb', options)
  await old.open()
  return {
    storage,
    old,
    async idle() {
      for (const work of idle.splice(0)) work()
      await storage.listSpaces()
    },
  }
}

const clocks = (ops: readonly TreeOperation[] = []): number[] =>
  ops.map((op) => op.clock).toSorted((a, b) => a - b)
const queued = async (storage: ClientStorage): Promise<number[]> =>
  clocks((await storage.readOutbox(spaceId, 1_000_000))?.ops)

describe('an edit that a tab of an old t69 stored without the outbox', () => {
  test('is put into the outbox once, or set aside if it breaks the rules, and stays in the tree', async () => {
    const { storage, old } = await setUp()
    await storage.putSyncState(spaceId, following)
    await storage.appendLocal(spaceId, someOps({ count: 3 }))
    await old.treeOps.bulkPut([...oldTabOps(4, 300), { ...oldTabOps(500)[0]!, value: Number.NaN }])
    expect(clocks(await storage.takeStrays(spaceId))).toEqual([...clocks(oldTabOps(4, 300)), 500])
    expect(await queued(storage)).toEqual([1, 2, 3, ...clocks(oldTabOps(4, 300))])
    expect(await storage.countPending(spaceId)).toEqual({ pending: 303, rejected: 1 })
    expect(await storage.takeStrays(spaceId)).toEqual([])
    expect(await storage.readTree(spaceId, chat)).toHaveLength(304)
    await old.treeOps.bulkPut(oldTabOps(501))
    expect(clocks(await storage.takeStrays(spaceId))).toEqual([501])
    expect(await storage.countPending(spaceId)).toEqual({ pending: 304, rejected: 1 })
  })

  test('is left alone in a space that does not sync, or during a reconciliation', async () => {
    const { storage, old } = await setUp()
    await old.treeOps.bulkPut(oldTabOps(1, 3))
    expect(await storage.takeStrays(spaceId)).toEqual([])
    await storage.putSyncState(spaceId, { ...following, cursor: 0, reconciling: true })
    expect(await storage.takeStrays(spaceId)).toEqual([])
    expect(await storage.queueMissing(spaceId, logId)).toBe(3)
    // They are in the outbox now, and not strays any more.
    expect(await storage.takeStrays(spaceId)).toEqual([])
    await old.treeOps.bulkPut(oldTabOps(4))
    expect(clocks(await storage.takeStrays(spaceId))).toEqual([4])
    expect(await queued(storage)).toEqual([1, 2, 3, 4])
  })

  test('is told apart from operations of the log, however few of those arrive', async () => {
    const { storage } = await setUp()
    await storage.putSyncState(spaceId, following)
    await storage.appendRemote(spaceId, oldTabOps(1, 3), { ...following, cursor: 4 })
    expect(await storage.takeStrays(spaceId)).toEqual([])
    expect(await storage.readTree(spaceId, chat)).toHaveLength(3)
  })

  test('is not folded into a segment before it is in the outbox', async () => {
    const { storage, old, idle } = await setUp()
    await storage.putSyncState(spaceId, following)
    await storage.appendRemote(spaceId, someOps({ count: 60 }), { ...following, cursor: 61 })
    await old.treeOps.bulkPut(oldTabOps(100, 600))
    await storage.readTree(spaceId, chat)
    await idle()
    expect(clocks(await storage.takeStrays(spaceId))).toEqual(clocks(oldTabOps(100, 600)))
    expect(await storage.readTree(spaceId, chat)).toHaveLength(660)
  })
})
