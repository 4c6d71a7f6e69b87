import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { encodeBatch, SyncError } from '@t69/protocol'
import Database from 'better-sqlite3'
import { expect, it } from 'vitest'

import { createMemoryOpLogs } from '../logs/memory-op-logs.ts'
import type { KeptAccess } from '../logs/op-log.ts'
import { createSqliteOpLogs } from '../logs/sqlite-op-logs.ts'
import { StorageFailure, WrongContentError } from '../sqlite/storage-failure.ts'
import { anybody, newEpoch, opsFrom, spaceId } from '../testing/ops.ts'
import { unlimitedAllotment } from './allotment.ts'
import { createInlineStorage } from './inline-storage.ts'
import { LogGoneError } from './log-gone-error.ts'
import { describeStorage } from './storage.contract.ts'

describeStorage('over logs in memory', async () => {
  const opLogs = createMemoryOpLogs()
  return {
    storage: createInlineStorage(opLogs, newEpoch()),
    restart: async () => createInlineStorage(opLogs, newEpoch()),
    [Symbol.asyncDispose]: async () => {},
  }
})

describeStorage('over SQLite', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-storage-'))
  const create = () => createInlineStorage(createSqliteOpLogs({ dataDir, synchronous: 'normal' }), newEpoch())
  const opened = [create()]
  return {
    storage: opened[0]!,
    restart: async () => {
      const again = create()
      opened.push(again)
      return again
    },
    [Symbol.asyncDispose]: async () => {
      for (const storage of opened) await storage.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
})

it('[JO8] joins without the page if it cannot be read, and says why when it is asked for by itself', async () => {
  const opLogs = createMemoryOpLogs()
  const storage = createInlineStorage(
    {
      ...opLogs,
      open: (...given) => {
        const log = opLogs.open(...given)
        log.read = () => {
          throw new SyncError('storage_failed', 'the disk is out of order')
        }
        return log
      },
    },
    newEpoch(),
  )
  await storage.open({ spaceId, left: undefined })
  const pushes = [{ userId: anybody, batch: encodeBatch({ spaceId, ops: opsFrom(1, 3) }) }]
  await storage.commit({ spaceId, pushes, allotment: unlimitedAllotment, now: 1 })
  const page = { maxBytes: 9_999 }
  const joined = await storage.join({ spaceId, position: {}, mayRenew: true, page })
  expect(joined).toMatchObject({ isHeld: false, renewal: 'none', state: { head: 3 } })
  expect(joined.page).toBe(undefined)
  await expect(storage.page({ ...page, spaceId, after: 0 })).rejects.toThrow('the disk is out of order')
})

it('takes no push into a log that was replaced after it was read, before it is opened again', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-storage-'))
  const path = join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
  const opLogs = createSqliteOpLogs({ dataDir, synchronous: 'normal' })
  let replace = (): void => {}
  const storage = createInlineStorage(
    {
      ...opLogs,
      open: (id, epoch, options) => {
        if (options?.toRead !== true) replace()
        return opLogs.open(id, epoch, options)
      },
    },
    newEpoch(),
  )
  const push = (first: number, count: number) =>
    storage.commit({
      spaceId,
      pushes: [{ userId: anybody, batch: encodeBatch({ spaceId, ops: opsFrom(first, count) }) }],
      allotment: unlimitedAllotment,
      now: 1,
    })
  await storage.open({ spaceId, left: undefined })
  await push(1, 3)
  await storage.release({ spaceId })
  const older = readFileSync(path)
  await storage.open({ spaceId, left: undefined })
  const { state } = await push(4, 1)
  await storage.release({ spaceId })
  await storage.open({ spaceId, left: state })
  replace = () => writeFileSync(path, older)
  await expect(push(5, 1)).rejects.toThrow(LogGoneError)
  replace = () => {}
  await expect(push(5, 1)).rejects.toThrow(LogGoneError)
  expect(await storage.open({ spaceId, left: state })).toMatchObject({
    standing: 'replaced',
    state: { head: 3 },
  })
  expect(await push(5, 1)).toMatchObject({ state: { head: 4 } })
  await storage.close()
  rmSync(dataDir, { recursive: true, force: true })
})

it('takes no push into a log whose content turned out to be wrong, before it is opened again', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-storage-'))
  const storage = createInlineStorage(createSqliteOpLogs({ dataDir, synchronous: 'normal' }), newEpoch())
  const push = (first: number, count: number) =>
    storage.commit({
      spaceId,
      pushes: [{ userId: anybody, batch: encodeBatch({ spaceId, ops: opsFrom(first, count) }) }],
      allotment: unlimitedAllotment,
      now: 1,
    })
  await storage.open({ spaceId, left: undefined })
  await push(1, 100)
  const db = new Database(join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`))
  db.exec(`update tree_ops set value = '"rotten"' where seq = 50`)
  db.close()
  const joined = await storage.join({ spaceId, position: {}, mayRenew: true, page: { maxBytes: 99_999 } })
  expect([joined.isHeld, joined.page]).toEqual([false, undefined])
  await expect(push(101, 1)).rejects.toBeInstanceOf(LogGoneError)
  expect(await storage.open({ spaceId, left: undefined })).toMatchObject({ state: { head: 0 } })
  await storage.close()
  rmSync(dataDir, { recursive: true })
})

it('takes no push into a log that turned out to be wrong as it was opened to be written to', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-storage-'))
  const opLogs = createSqliteOpLogs({ dataDir, synchronous: 'normal' })
  opLogs.open(spaceId, newEpoch()).close()
  const storage = createInlineStorage(
    {
      ...opLogs,
      open: (...given) => {
        const log = opLogs.open(...given)
        log.keepAccess = () => {
          const failed = new SyncError('storage_failed', 'the storage of this space fails')
          failed.cause = new StorageFailure('a file', new WrongContentError('a free page is in use'))
          throw failed
        }
        return log
      },
    },
    newEpoch(),
  )
  const access = { identity: '1'.repeat(32), accessId: '2'.repeat(32), seal: 'the members' } as KeptAccess
  const pushes = [{ userId: anybody, batch: encodeBatch({ spaceId, ops: opsFrom(1, 1) }) }]
  await storage.open({ spaceId, left: undefined })
  await expect(storage.keepAccess({ spaceId, access })).rejects.toThrow('the storage of this space fails')
  const pushed = storage.commit({ spaceId, pushes, allotment: unlimitedAllotment, now: 1 })
  await expect(pushed).rejects.toBeInstanceOf(LogGoneError)
  await storage.close()
  rmSync(dataDir, { recursive: true })
})
