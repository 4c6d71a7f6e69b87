import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createMemoryOpLogs } from '../logs/memory-op-logs.ts'
import { createSqliteOpLogs } from '../logs/sqlite-op-logs.ts'
import { newEpoch } from '../testing/ops.ts'
import { createInlineStorage } from './inline-storage.ts'
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
