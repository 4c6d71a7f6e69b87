import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll } from 'vitest'

import { describeOpLogs } from './op-log.contract.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'

const root = mkdtempSync(join(tmpdir(), 't69-'))

afterAll(() => rmSync(root, { recursive: true }))

describeOpLogs('SQLite', () => createSqliteOpLogs({ dataDir: mkdtempSync(join(root, 'data-')) }))
