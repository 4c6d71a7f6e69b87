import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { describe, expect, test } from 'vitest'

import { clientStorageCases, type Device } from '../client-storage.contract.ts'
import { openIndexedDbStorage } from './indexeddb-storage.ts'

/** A new browser profile. Its page is never idle. */
function browserDevice(): Device {
  const indexedDB = new IDBFactory()
  return { open: () => openIndexedDbStorage({ indexedDB, IDBKeyRange, whenIdle: () => undefined }) }
}

describe('IndexedDB storage', () => {
  test.each(clientStorageCases)('$name', async (storageCase) => {
    await expect(storageCase.run(browserDevice())).resolves.toBeUndefined()
  })

  test('falls back to memory and says why when the browser has no storage', async () => {
    const storage = await openIndexedDbStorage({ whenIdle: () => undefined })
    expect(storage.volatileReason).toMatch(/private window/)
    await storage.putConfig('key', 1)
    expect(await storage.getConfig('key')).toBe(1)
  })
})
