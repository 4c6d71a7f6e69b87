import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { encodeBatch } from '@t69/protocol'
import { expect, it, onTestFinished } from 'vitest'

import { createSqliteOpLogs } from '../logs/sqlite-op-logs.ts'
import { anybody, newEpoch, opsFrom, spaceId } from '../testing/ops.ts'
import { unlimitedAllotment } from './allotment.ts'
import { createStorageDesk } from './storage-desk.ts'

it('settles what is overdue after a commit, and leaves the rest for a quiet moment', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-desk-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true }))
  const settling = { keepOps: 10, minOps: 10, maxOps: 300, maxRows: 1_000 }
  const desk = createStorageDesk(createSqliteOpLogs({ dataDir, synchronous: 'normal', settling }), newEpoch())
  desk.calls.open({ spaceId, left: undefined })
  const log = desk.logOf(spaceId)
  const commit = (first: number, count: number): void => {
    const batch = encodeBatch({ spaceId, ops: opsFrom(first, count) })
    const pushes = [{ userId: anybody, batch }]
    desk.calls.commit({ spaceId, pushes, allotment: unlimitedAllotment, now: 0 })
    desk.settleOverdue()
  }

  commit(1, 1_000)
  expect(log.segmentAt(0)).toBeUndefined()
  for (let first = 1_001; first <= 5_000; first += 200) commit(first, 200)
  expect(log.isOverdue).toBe(false)
  expect(log.isUnsettled).toBe(true)
  expect(log.segmentAt(3_900)).toBeDefined()
  desk.closeAll()
})
