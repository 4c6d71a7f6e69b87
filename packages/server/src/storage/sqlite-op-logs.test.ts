import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describeOpLogs } from './op-log.contract.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'

describeOpLogs('SQLite', () => createSqliteOpLogs({ dataDir: mkdtempSync(join(tmpdir(), 't69-')) }))
