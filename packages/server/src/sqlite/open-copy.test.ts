import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, it, onTestFinished } from 'vitest'

import { openReadOnlyLog } from '../logs/read-only-log.ts'
import { pathOfSpace } from '../logs/space-path.ts'
import { createSqliteOpLogs } from '../logs/sqlite-op-logs.ts'
import { appendTo, newEpoch, opsFrom, spaceId } from '../testing/ops.ts'
import { damageIn } from './damage.ts'

const lacksSqlite = spawnSync('sqlite3', ['--version']).error !== undefined

function setUp() {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-copy-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true }))
  const path = pathOfSpace(dataDir, spaceId)
  const log = createSqliteOpLogs({ dataDir }).open(spaceId, newEpoch())
  const readTrees = () => openReadOnlyLog(dataDir, spaceId, () => {})
  return { path, log, readTrees }
}

describe.skipIf(lacksSqlite)('a file that is open for writing, and of which a tree is read', () => {
  const query = 'select count(*) from tree_ops'

  it('keeps its write-ahead log when another program closes it', () => {
    const { path, log, readTrees } = setUp()
    readTrees().close()
    appendTo(log, opsFrom(1, 3))
    expect(execFileSync('sqlite3', [path, query], { encoding: 'utf8' })).toBe('3\n')
    expect(existsSync(`${path}-wal`)).toBe(true)
    appendTo(log, opsFrom(4, 3))
    log.close()
  })

  it('keeps it also when the file is read through before anything was written', () => {
    const { path, log } = setUp()
    expect(damageIn(path)).toBeUndefined()
    appendTo(log, opsFrom(1, 3))
    expect(execFileSync('sqlite3', [path, query], { encoding: 'utf8' })).toBe('3\n')
    expect(existsSync(`${path}-wal`)).toBe(true)
    appendTo(log, opsFrom(4, 3))
    log.close()
  })
})
