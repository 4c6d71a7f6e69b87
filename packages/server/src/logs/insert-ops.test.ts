import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, it, onTestFinished } from 'vitest'

import { appendTo, moveOp, newEpoch, opsFrom, setOp, spaceId } from '../testing/ops.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'

it('appends many operations as they are, with runs of any length of one peer in one tree', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-insert-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true }))
  const log = createSqliteOpLogs({ dataDir, synchronous: 'normal' }).open(spaceId, newEpoch())
  let clock = 1
  const ops = [1, 15, 16, 17, 40, 3, 32, 100].flatMap((count, nth) => {
    const first = clock
    clock += count
    return opsFrom(first, count, { peer: `${nth % 3}`, tree: `tree${nth % 2}` })
  })
  ops.splice(50, 0, moveOp(clock, null, { target: 'moved' }), setOp(clock + 1, { of: ['a', 'value'] }))
  appendTo(log, ops.slice(0, 7))
  appendTo(log, ops.slice(7))
  expect(log.read(0, { maxOps: 1_000, maxBytes: 1e6 })).toEqual(ops)
  log.close()
})
