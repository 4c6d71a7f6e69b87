import { encodeBatch, openBatch } from '@t69/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { setOp, spaceId } from '../testing/ops.ts'
import { countOfIds, hasClock, idRowsOf, maxSpan } from './settled-ids.ts'

const rowsOf = (ids: readonly { peer: string; clock: number }[], from = 0) =>
  idRowsOf(
    openBatch(encodeBatch({ spaceId, ops: ids.map(({ peer, clock }) => setOp(clock, 1, { peer })) })),
    from,
  )

const clocks = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: 9_000 }),
  fc.integer({ min: 1, max: 2 ** 52 }),
)

test('rows of ids have every clock of each peer, and no other', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.record({ peer: fc.constantFrom('a', 'b'), clock: clocks }), {
        minLength: 1,
        selector: ({ peer, clock }) => `${peer} ${clock}`,
      }),
      (ids) => {
        const rows = rowsOf(ids)
        for (const { peer, clock } of ids) {
          for (const near of [clock - 1, clock, clock + 1]) {
            const isThere = ids.some((id) => id.peer === peer && id.clock === near)
            expect(rows.some((row) => row.peerId === peer && hasClock(row, near))).toBe(isThere)
          }
        }
        expect(rows.reduce((sum, row) => sum + countOfIds(row), 0)).toBe(ids.length)
        for (const { first, last } of rows) expect(last - first).toBeLessThan(maxSpan)
      },
    ),
  )
})

test('a peer that counts on takes one row for thousands of operations, and two that take turns one each', () => {
  const alone = Array.from({ length: 4_000 }, (_, index) => ({ peer: 'a', clock: index + 1 }))
  expect(rowsOf(alone)).toHaveLength(1)
  expect(rowsOf(alone)[0]?.clocks).toBeNull()
  const turns = alone.map(({ clock }) => ({ peer: clock % 2 === 0 ? 'a' : 'b', clock }))
  expect(rowsOf(turns).map(({ clocks: bits }) => bits?.length)).toEqual([500, 500])
})

test('rows are of the operations from an index on', () => {
  const ids = [1, 2, 3, 4].map((clock) => ({ peer: 'a', clock }))
  expect(rowsOf(ids, 2)).toMatchObject([{ first: 3, last: 4 }])
})
