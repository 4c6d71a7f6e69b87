import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, expect, test } from 'vitest'

import { newEpoch, setOp, spaceId } from '../testing/ops.ts'
import { describeOpLogs } from './op-log.contract.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'

const root = mkdtempSync(join(tmpdir(), 't69-'))

afterAll(() => rmSync(root, { recursive: true }))

describeOpLogs('SQLite', () => createSqliteOpLogs({ dataDir: mkdtempSync(join(root, 'data-')) }))

test('comparing with a large value costs what is compared with it', () => {
  const dataDir = mkdtempSync(join(root, 'data-'))
  const log = createSqliteOpLogs({ dataDir, synchronous: 'normal' }).open(spaceId, newEpoch())
  const large = 'x'.repeat(500_000)
  log.append([setOp(1, large)])
  expect(log.compare(setOp(1, large))).toBe('same')
  const msFor = (value: string): number => {
    const startedAt = performance.now()
    for (let n = 0; n < 200; n++) expect(log.compare(setOp(1, value))).toBe('other')
    return performance.now() - startedAt
  }
  msFor('warm')
  // A large value that was read for each would take as long as one that was sent.
  expect(msFor('small')).toBeLessThan(msFor(`y${large.slice(1)}`) / 3)
  log.close()
})
