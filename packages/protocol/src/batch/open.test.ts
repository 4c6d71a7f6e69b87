import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { SyncError } from '../errors.ts'
import { utf8Length } from '../json-value.ts'
import { hasSameContent } from '../same-content.ts'
import { batches } from '../testing/arbitraries.ts'
import { decodeBatch } from './decode.ts'
import { createPacker, encodeBatch } from './encode.ts'
import { openBatch } from './open.ts'

test('an open batch gives each operation as decoding all of it does', () => {
  fc.assert(
    fc.property(batches(), (batch) => {
      const open = openBatch(encodeBatch(batch))
      expect({ spaceId: open.spaceId, count: open.count }).toEqual({
        spaceId: batch.spaceId,
        count: batch.ops.length,
      })
      // In any order: each stands for itself.
      for (const [index, op] of [...batch.ops.entries()].toReversed()) {
        const text = op.value === undefined ? undefined : JSON.stringify(op.value)
        expect(open.opAt(index)).toStrictEqual(op)
        expect(open.clockAt(index)).toBe(op.clock)
        expect(open.valueTextAt(index)).toBe(text)
        expect(open.valueBytesAt(index)).toBe(text === undefined ? 0 : utf8Length(text))
        for (const other of batch.ops) {
          const otherText = other.value === undefined ? undefined : JSON.stringify(other.value)
          const isSame = hasSameContent(op, other)
          expect(open.hasContentAt(index, other, otherText), JSON.stringify([op, other])).toBe(isSame)
        }
      }
    }),
    { numRuns: 300 },
  )
})

test('what an open batch gives packs to the bytes that it was opened from', () => {
  fc.assert(
    fc.property(batches(), (batch) => {
      const bytes = encodeBatch(batch)
      const open = openBatch(bytes)
      const packer = createPacker(batch.spaceId)
      for (let at = 0; at < open.count; at++)
        expect(packer.add(open.opAt(at), open.valueTextAt(at))).toBe(true)
      expect(packer.finish()).toEqual(bytes)
      expect(decodeBatch(bytes).ops).toHaveLength(packer.count)
    }),
    { numRuns: 200 },
  )
})

test('[BA11] a batch whose lengths of values do not fit its bytes does not open', () => {
  fc.assert(
    fc.property(batches(), (batch) => {
      const bytes = encodeBatch(batch)
      expect(() => openBatch(new Uint8Array([...bytes, 0]))).toThrow(SyncError)
      expect(() => openBatch(bytes.subarray(0, bytes.length - 1))).toThrow(SyncError)
    }),
    { numRuns: 100 },
  )
})

test('a packer refuses an operation that its batch has no room for, and takes one of any size', () => {
  fc.assert(
    fc.property(batches(), ({ spaceId, ops }) => {
      const packer = createPacker(spaceId, { maxOps: 2, budgetBytes: 10 })
      const added = ops.map((op) =>
        packer.add(op, op.value === undefined ? undefined : JSON.stringify(op.value)),
      )
      expect(added).toEqual(ops.map((_, index) => index === 0))
      expect(packer.count).toBe(Math.min(ops.length, 1))
    }),
    { numRuns: 50 },
  )
})
