import { expect, it } from 'vitest'

import { setOp, spaceId } from '../testing/ops.ts'
import { nextSegment } from './next-segment.ts'
import { checksumOfRow, rowByOp } from './op-row.ts'
import type { SettledOps } from './settled-ops.ts'
import type { SpaceStatements } from './space-queries.ts'

it('reads no more rows than a page may take: a thread must not have all of a space with large values in memory', () => {
  let read = 0
  function* opsFrom({ after, atMost }: { after: number; atMost: number }) {
    for (let seq = after + 1; seq <= after + atMost; seq++) {
      read++
      const row = rowByOp(setOp(seq, 'x'.repeat(100_000)))
      yield { seq, ...row, checksum: checksumOfRow(seq, row) }
    }
  }
  const statements = {
    opsFrom: { iterate: opsFrom, all: (given: Parameters<typeof opsFrom>[0]) => [...opsFrom(given)] },
    commitsBetween: { iterate: () => [] },
  } as unknown as SpaceStatements
  const settled = { end: 0, last: undefined } as unknown as SettledOps
  const settling = { keepOps: 512, minOps: 1_024, maxOps: 4_096 }
  expect(nextSegment({ statements, settled, spaceId, head: 2_000, settling })).toMatchObject({
    after: 0,
    cursor: 2,
  })
  expect(read).toBe(3)
})
