import { type LogId, opKey, type SpaceId, type TreeId, type TreeOperation } from '@t69/protocol'
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { someOps } from '../client-storage.contract.ts'
import type { ClientStorage, SyncState } from '../client-storage.ts'
import { openIndexedDbStorage } from './indexeddb-storage.ts'
import { LocalDb } from './local-db-schema.ts'
import { findMissing, readMissing } from './missing-ops.ts'
import { OpIdSet } from './op-id-set.ts'

const spaceId = 'a'.repeat(32) as SpaceId
const chat = 'c'.repeat(32) as TreeId
const log = '1'.repeat(32) as LogId
const reconciling: SyncState = { identity: null, logId: log, epoch: null, cursor: 0, reconciling: true }

let db: LocalDb
let storage: ClientStorage

beforeEach(async () => {
  const indexedDB = new IDBFactory()
  storage = await openIndexedDbStorage({ indexedDB, IDBKeyRange, whenIdle: () => {} })
  db = new LocalDb('localDb', { indexedDB, IDBKeyRange })
})

afterEach(async () => {
  await storage.close()
  db.close()
})

async function piecesOf(): Promise<TreeOperation[][]> {
  const missing = await findMissing(db, spaceId, chat, log, new OpIdSet())
  const pieces: TreeOperation[][] = []
  for (const piece of missing.pieces) pieces.push(await readMissing(db, spaceId, chat, missing, piece))
  return pieces
}

describe('the operations of a long chat that a log lacks', () => {
  test('are read in pieces by clock, each operation once, however they were stored', async () => {
    const [ours, theirs] = [someOps({ count: 24_000 }), someOps({ count: 24_000, peer: '99' })]
    // The end before the beginning, some of them twice, and the last ones as rows.
    for (const from of [16_000, 0, 12_000]) await storage.appendLocal(spaceId, ours.slice(from, from + 8_000))
    await storage.appendLocal(spaceId, ours.slice(8_000, 12_000))
    await storage.appendLocal(spaceId, theirs.slice(0, 20_000))
    for (let from = 20_000; from < 20_200; from += 50) {
      await storage.appendLocal(spaceId, theirs.slice(from, from + 50))
    }
    await storage.putSyncState(spaceId, reconciling)
    await storage.appendRemote(spaceId, ours.slice(5_000, 6_000), { ...reconciling, cursor: 1_000 })

    const pieces = await piecesOf()
    const received = new Set(ours.slice(5_000, 6_000))
    const expected = [...ours, ...theirs.slice(0, 20_200)].filter((op) => !received.has(op))
    expect(pieces.flat().map(opKey).toSorted()).toEqual(expected.map(opKey).toSorted())
    const clocks = pieces.flat().map(({ clock }) => clock)
    expect(clocks).toEqual(clocks.toSorted((a, b) => a - b))
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(12_000)
  })

  test('are cut into smaller pieces where values are large', async () => {
    const text = 'x'.repeat(100_000)
    const ops = someOps({ count: 200 }).map((op, index) =>
      index < 100 || op.key === undefined ? op : { ...op, value: text },
    )
    await storage.appendLocal(spaceId, ops)
    await storage.putSyncState(spaceId, reconciling)
    const large = ops.filter(({ value }) => value === text).length
    expect(large).toBeGreaterThan(40)
    const pieces = await piecesOf()
    expect(pieces.length).toBeGreaterThan(large / 25)
    expect(pieces.flat()).toHaveLength(200)
  })

  test('are queued without holding up edits', async () => {
    await storage.appendLocal(spaceId, someOps({ count: 40_000 }))
    await storage.putSyncState(spaceId, reconciling)
    const queueing = storage.queueMissing(spaceId, log)
    const edit = someOps({ from: 50_000 })
    const edited = storage.appendLocal(spaceId, edit).then(() => storage.getSyncState(spaceId))
    expect(await edited).toMatchObject({ reconciling: true })
    expect(await queueing).toBe(40_000)
    expect(await storage.countPending(spaceId)).toMatchObject({ pending: 40_001 })
  })
})
