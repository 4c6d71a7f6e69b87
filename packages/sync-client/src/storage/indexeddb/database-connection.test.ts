import { SyncError, type SpaceId, type TreeId } from '@t69/protocol'
import { Dexie } from 'dexie'
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { describe, expect, test } from 'vitest'

import { someOps } from '../client-storage.contract.ts'
import { DatabaseConnection } from './database-connection.ts'
import { openIndexedDbStorage } from './indexeddb-storage.ts'
import { LocalDb } from './local-db-schema.ts'
import { isDeadConnection, storageError } from './storage-error.ts'

const spaceId = 'a'.repeat(32) as SpaceId
const chat = 'c'.repeat(32) as TreeId
const whenIdle = () => undefined

function browser() {
  return { indexedDB: new IDBFactory(), IDBKeyRange }
}

describe('a connection to the database', () => {
  test('is replaced when the browser has ended it, and the work repeated', async () => {
    const db = new LocalDb('localDb', browser())
    await db.open()
    const connection = new DatabaseConnection(db)
    const handle = db.backendDB()
    // Safari does this to a page in the background: there is no event, and every transaction fails.
    handle.close()
    await connection.run((open) => open.config.put({ key: 'k', value: 1 }))
    expect(db.backendDB()).not.toBe(handle)
    expect((await db.config.get('k'))?.value).toBe(1)
    connection.close()
  })

  test('fails none of ten concurrent transactions when the browser has ended it', async () => {
    const db = new LocalDb('localDb', browser())
    await db.open()
    const connection = new DatabaseConnection(db)
    db.backendDB().close()
    // Dexie itself reopens for the first of them, and lets the others fail.
    const keys = Array.from({ length: 10 }, (_, index) => `k${index}`)
    await Promise.all(
      keys.map((key) =>
        connection.run((open) =>
          open.transaction('rw', open.config, async () => open.config.put({ key, value: 1 })),
        ),
      ),
    )
    expect(await db.config.count()).toBe(10)
    connection.close()
  })

  test('is replaced once for all the work that failed on it', async () => {
    const db = new LocalDb('localDb', browser())
    await db.open()
    const connection = new DatabaseConnection(db)
    let closed = 0
    db.on('close', () => void closed++)
    let failing = 5
    const lost = Object.assign(new Error('Connection to Indexed Database server lost'), {
      name: 'UnknownError',
    })
    const work = Array.from({ length: 5 }, (_, index) =>
      connection.run(async (open) => {
        if (failing-- > 0) throw lost
        await open.config.put({ key: `k${index}`, value: index })
      }),
    )
    await Promise.all(work)
    expect(closed).toBe(1)
    expect(await db.config.count()).toBe(5)
    connection.close()
  })

  test('rejects with one error and its cause when the repeated work fails too', async () => {
    const db = new LocalDb('localDb', browser())
    const connection = new DatabaseConnection(db)
    let tries = 0
    const cause = Object.assign(new Error('gone'), { name: 'InvalidStateError' })
    const failed = connection.run(async () => {
      tries += 1
      throw cause
    })
    await expect(failed).rejects.toMatchObject({ name: 'SyncError', code: 'storage_failed', cause })
    expect(tries).toBe(2)
    connection.close()
  })

  test('stays closed when it was closed on purpose', async () => {
    const storage = await openIndexedDbStorage({ ...browser(), whenIdle })
    await storage.close()
    await expect(storage.readTree(spaceId, chat)).rejects.toMatchObject({ code: 'storage_failed' })
  })

  test('does not block a tab that upgrades the database, and still reads afterwards', async () => {
    const { indexedDB, IDBKeyRange: keyRange } = browser()
    const storage = await openIndexedDbStorage({ indexedDB, IDBKeyRange: keyRange, whenIdle })
    await storage.appendLocal(spaceId, someOps({ count: 3 }))
    const newer = new Dexie('localDb', { indexedDB, IDBKeyRange: keyRange })
    const { stores } = schemaOf(new LocalDb('localDb', { indexedDB, IDBKeyRange: keyRange }))
    newer.version(4).stores({ ...stores, later: '++id' })
    let isBlocked = false
    newer.on('blocked', () => (isBlocked = true))
    await newer.open()
    expect(isBlocked).toBe(false)
    expect(await storage.readTree(spaceId, chat)).toHaveLength(3)
    newer.close()
    await storage.close()
  })

  test('reports that another tab blocks its opening, and opens when that tab releases the database', async () => {
    const { indexedDB, IDBKeyRange: keyRange } = browser()
    const holder = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open('localDb', 5)
      request.addEventListener('success', () => resolve(request.result))
    })
    let release: () => void = () => undefined
    const blocked = new Promise<void>((resolve) => (release = resolve))
    const opening = openIndexedDbStorage({
      indexedDB,
      IDBKeyRange: keyRange,
      whenIdle,
      onBlocked: () => release(),
    })
    await blocked
    holder.close()
    const storage = await opening
    expect(storage.volatileReason).toBeNull()
    await storage.close()
  })
})

describe('a storage error', () => {
  test('says that there is no room when Dexie has wrapped a quota error', () => {
    const quota = Object.assign(new Error('full'), { name: 'QuotaExceededError' })
    const aborted = Object.assign(new Error('aborted'), { name: 'AbortError', inner: quota })
    const bulk = Object.assign(new Error('bulk'), { name: 'BulkError', failures: [quota] })
    for (const error of [quota, aborted, bulk]) {
      expect(isDeadConnection(error)).toBe(false)
      expect(storageError(error)).toMatchObject({ code: 'storage_failed', cause: error })
      expect(storageError(error).message).toMatch(/no more room/)
    }
  })

  test('is a SyncError unchanged', () => {
    const error = new SyncError('too_large', 'much')
    expect(storageError(error)).toBe(error)
  })
})

/** The stores of a Dexie database, as `version().stores()` takes them. */
function schemaOf(db: Dexie): { stores: Record<string, string> } {
  const stores = db.tables.map(({ name, schema }) => {
    const parts = [schema.primKey.src, ...schema.indexes.map((index) => index.src)]
    return [name, parts.join(',')] as const
  })
  return { stores: Object.fromEntries(stores) }
}
