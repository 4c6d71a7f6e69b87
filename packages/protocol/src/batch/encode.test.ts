import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { SyncError, type ErrorBody } from '../errors.ts'
import { spaceIdSchema, type SpaceId } from '../ids.ts'
import { limits } from '../limits.ts'
import { treeOperationSchema, type TreeOperation } from '../operation.ts'
import { batches } from '../testing/arbitraries.ts'
import { decodeBatch } from './decode.ts'
import { encodeBatch, packBatches } from './encode.ts'

const spaceId = spaceIdSchema.parse('a'.repeat(32))

function setOp(clock: number, value: unknown): TreeOperation {
  const base = { clock, peerId: '1', treeId: 'tree', spaceId, targetId: 'vertex', key: 'text' }
  return treeOperationSchema.parse({ ...base, value })
}

function refusalOf(run: () => unknown): ErrorBody {
  try {
    run()
  } catch (error) {
    if (error instanceof SyncError) return error.body
    throw error
  }
  throw new Error('nothing was refused')
}

describe('encodeBatch', () => {
  test.each<[string, Partial<Record<keyof TreeOperation, unknown>>]>([
    ['a clock beyond the safe integers', { clock: 2 ** 53 }],
    ['NaN inside a value', { value: [Number.NaN] }],
    ['-0', { value: -0 }],
    ['undefined inside a value', { value: { a: undefined } }],
    ['a value that is too large', { value: 'x'.repeat(limits.maxValueBytes) }],
    ['an inherited name', { targetId: '__proto__' }],
    ['another space', { spaceId: 'b'.repeat(32) }],
  ])('[BA13] %s is refused, naming the operation', (_, change) => {
    // A caller in plain JavaScript could pass such an operation.
    const wrong = { ...setOp(2, 'b'), ...change } as TreeOperation
    const body = refusalOf(() => encodeBatch({ spaceId, ops: [setOp(1, 'a'), wrong] }))
    expect(body).toMatchObject({ code: 'invalid_batch', at: 1 })
    expect(refusalOf(() => [...packBatches(spaceId, [setOp(1, 'a'), wrong])])).toEqual(body)
  })

  test.each([null, undefined])(
    '[BA13] %s is refused in the place of an operation, naming the place',
    (none) => {
      // A caller in plain JavaScript could pass it.
      const ops = [setOp(1, 'a'), none as unknown as TreeOperation]
      const body = refusalOf(() => encodeBatch({ spaceId, ops }))
      expect(body).toMatchObject({ code: 'invalid_batch', at: 1 })
      expect(refusalOf(() => [...packBatches(spaceId, ops)])).toEqual(body)
    },
  )

  test('[BA10] keys and values of every length decode as they were, of ASCII and of more', () => {
    for (let length = 3; length <= limits.maxKeyLength; length++) {
      for (const text of ['x'.repeat(length), 'é😀'.padEnd(length, 'x')]) {
        const ops = [treeOperationSchema.parse({ ...setOp(1, text), key: text })]
        expect(decodeBatch(encodeBatch({ spaceId, ops })).ops).toEqual(ops)
      }
    }
  })

  test('[BA13] an invalid space id is refused, even without operations', () => {
    // A caller in plain JavaScript could pass such an id.
    const wrongId = 'space' as SpaceId
    expect(refusalOf(() => encodeBatch({ spaceId: wrongId, ops: [] })).code).toBe('invalid_batch')
    expect(refusalOf(() => packBatches(wrongId, []).next()).code).toBe('invalid_batch')
  })

  test('[BA13] too many operations, or bytes, are too large', () => {
    const many = Array.from({ length: limits.maxBatchOps + 1 }, (_, index) => setOp(index + 1, null))
    expect(refusalOf(() => encodeBatch({ spaceId, ops: many })).code).toBe('too_large')
    const large = [1, 2].map((clock) => setOp(clock, 'x'.repeat(limits.maxValueBytes - 2)))
    expect(refusalOf(() => encodeBatch({ spaceId, ops: large })).code).toBe('too_large')
  })

  test('[LI2] an operation at all of its limits fits into a batch and a message', () => {
    const op = treeOperationSchema.parse({
      clock: Number.MAX_SAFE_INTEGER,
      peerId: 'p'.repeat(64),
      treeId: 't'.repeat(64),
      spaceId,
      targetId: 'v'.repeat(64),
      key: '名'.repeat(limits.maxKeyLength),
      value: 'x'.repeat(limits.maxValueBytes - 2),
    })
    const bytes = encodeBatch({ spaceId, ops: [op] })
    expect(bytes.length).toBeLessThan(limits.maxBatchBytes)
    expect(decodeBatch(bytes).ops).toEqual([op])
  })

  test('[LI1] the largest batch leaves a message room for its envelope', () => {
    expect(limits.batchBudgetBytes).toBeLessThanOrEqual(limits.maxBatchBytes)
    expect(limits.maxBatchBytes + 64 * 1024).toBeLessThanOrEqual(limits.maxMessageBytes)
  })

  test('the encoded bytes have a buffer of exactly their size', () => {
    const bytes = encodeBatch({ spaceId, ops: [setOp(1, 'a')] })
    expect(bytes.buffer.byteLength).toBe(bytes.length)
  })
})

describe('packBatches', () => {
  const budgets = fc.record({
    budgetBytes: fc.integer({ min: 1, max: 3_000 }),
    maxOps: fc.integer({ min: 1, max: 50 }),
  })

  test('[BA14] the batches hold the operations in order, each within the budget or alone', () => {
    fc.assert(
      fc.property(batches({ maxOps: 100 }), budgets, ({ spaceId, ops }, options) => {
        const packed = [...packBatches(spaceId, ops, options)]
        expect(packed.flatMap(({ bytes }) => decodeBatch(bytes).ops)).toEqual(ops)
        for (const { bytes, count } of packed) {
          expect(decodeBatch(bytes).ops.length).toBe(count)
          expect(count).toBeLessThanOrEqual(options.maxOps)
          expect(count === 1 || bytes.length <= options.budgetBytes).toBe(true)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[BA14] without options, batches stay within the limits and nearly fill them', () => {
    const ops = Array.from({ length: 30_000 }, (_, index) => setOp(index + 1, `${index} `.repeat(5)))
    const packed = [...packBatches(spaceId, ops)]
    expect(packed.reduce((sum, { count }) => sum + count, 0)).toBe(ops.length)
    for (const { bytes, count } of packed) {
      expect(bytes.length).toBeLessThanOrEqual(limits.batchBudgetBytes)
      expect(count).toBeLessThanOrEqual(limits.maxBatchOps)
    }
    for (const { bytes } of packed.slice(0, -1)) {
      expect(bytes.length).toBeGreaterThan(limits.batchBudgetBytes - 1_000)
    }
  })

  test('[BA14] an operation larger than the budget travels alone, and still decodes', () => {
    const ops = [setOp(1, 'a'), setOp(2, 'x'.repeat(limits.maxValueBytes - 2)), setOp(3, 'b')]
    const packed = [...packBatches(spaceId, ops)]
    expect(packed.map(({ count }) => count)).toEqual([1, 1, 1])
    expect(packed.flatMap(({ bytes }) => decodeBatch(bytes).ops)).toEqual(ops)
  })

  test('options cannot raise a batch above the limits of a reader', () => {
    const ops = Array.from({ length: limits.maxBatchOps + 1 }, (_, index) => setOp(index + 1, 'x'.repeat(40)))
    const options = { budgetBytes: Number.MAX_SAFE_INTEGER, maxOps: Number.MAX_SAFE_INTEGER }
    const packed = [...packBatches(spaceId, ops, options)]
    expect(packed.flatMap(({ bytes }) => decodeBatch(bytes).ops).length).toBe(ops.length)
  })

  test('batches are packed lazily', () => {
    let taken = 0
    function* endless() {
      for (;;) yield setOp(++taken, 'a')
    }
    const first = packBatches(spaceId, endless(), { maxOps: 10 }).next()
    expect(first.value?.count).toBe(10)
    expect(taken).toBe(11)
  })

  test('packing no operations yields no batch', () => {
    expect([...packBatches(spaceId, [])]).toEqual([])
  })
})
