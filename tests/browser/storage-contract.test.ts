import { clientStorageCases } from '@t69/sync-client/testing/client-storage-contract'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { openStorageLab, type StorageLab } from '../lib/storage-lab.ts'

describe("the storage on Chromium's IndexedDB", () => {
  let device: StorageLab
  let page: Page

  beforeAll(async () => {
    device = await openStorageLab()
    page = await device.openPage()
  })
  afterAll(async () => {
    await device[Symbol.asyncDispose]()
  })

  // Housekeeping runs when the page is idle, as it does in use.
  test.each(clientStorageCases)('$name', async ({ name }) => {
    const failure = await page.evaluate(async (caseName) => {
      const storageCase = lab.clientStorageCases.find((one) => one.name === caseName)
      if (storageCase === undefined) return 'the page has no such case'
      const browser = {
        async open() {
          const storage = await lab.openIndexedDbStorage({ name: caseName })
          if (storage.volatileReason !== null) throw new Error(storage.volatileReason)
          return storage
        },
      }
      return await storageCase.run(browser).then(
        () => null,
        (error: unknown) => String(error),
      )
    }, name)
    expect(failure).toBeNull()
  })
})
