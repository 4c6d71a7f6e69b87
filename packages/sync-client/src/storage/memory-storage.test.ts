import { describe, expect, test } from 'vitest'

import { clientStorageCases, type Device } from './client-storage.contract.ts'
import { memoryStorage } from './memory-storage.ts'

function memoryDevice(): Device {
  const storage = memoryStorage()
  return { open: async () => storage }
}

describe('memory storage', () => {
  test.each(clientStorageCases)('$name', async (storageCase) => {
    await expect(storageCase.run(memoryDevice())).resolves.toBeUndefined()
  })

  test('has a `volatileReason` only if it was given one', () => {
    expect(memoryStorage().volatileReason).toBeNull()
    expect(memoryStorage({ volatileReason: 'Refused.' }).volatileReason).toBe('Refused.')
  })
})
