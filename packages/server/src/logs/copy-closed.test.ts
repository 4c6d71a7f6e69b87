import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, it, onTestFinished, vi } from 'vitest'

import type { OpenedDatabase } from '../sqlite/database-files.ts'
import type * as openCopies from '../sqlite/open-copy.ts'
import { newEpoch, spaceId } from '../testing/ops.ts'
import { pathOfSpace } from './space-path.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'

const copies: OpenedDatabase[] = []
vi.mock('../sqlite/open-copy.ts', async (original) => {
  const { openCopy } = await original<typeof openCopies>()
  return {
    openCopy: (path: string) => {
      const copy = openCopy(path)
      if (copy !== undefined) copies.push(copy)
      return copy
    },
  }
})

it('a copy of a file that is no database is closed', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-closed-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true }))
  const path = pathOfSpace(dataDir, spaceId)
  const opLogs = createSqliteOpLogs({ dataDir, synchronous: 'normal' })
  opLogs.open(spaceId, newEpoch()).close()
  writeFileSync(path, readFileSync(path).fill(1, 0, 16))
  opLogs.open(spaceId, newEpoch(), { toRead: true }).close()
  expect(copies.map(({ db }) => db.open)).toEqual([false])
})
