import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { SyncError } from '../errors.ts'
import { limits } from '../limits.ts'
import { isMove, treeOperationSchema, type TreeOperation } from '../operation.ts'
import { batches } from '../testing/arbitraries.ts'
import type { Batch } from './batch.ts'
import { decodeBatch, readBatchHeader } from './decode.ts'
import { encodeBatch } from './encode.ts'

describe('round trip', () => {
  test('[BA10] decoding gives the operations that were encoded, in their order', () => {
    fc.assert(
      fc.property(batches(), (batch) => {
        expect(decodeBatch(encodeBatch(batch))).toEqual(batch)
      }),
      { numRuns: 500 },
    )
  })

  test('[BA10] the header tells the space and the number of operations, without what follows', () => {
    fc.assert(
      fc.property(batches(), (batch) => {
        const { spaceId, ops } = batch
        const bytes = encodeBatch(batch)
        expect(readBatchHeader(bytes)).toEqual({ spaceId, count: ops.length })
        expect(() => readBatchHeader(bytes.subarray(0, 10))).toThrow(SyncError)
      }),
      { numRuns: 100 },
    )
  })

  test('[BA10] a removal decodes without a value, whether or not it was given as undefined', () => {
    fc.assert(
      fc.property(batches(), ({ spaceId, ops }) => {
        const spelledOut = ops.map((op): TreeOperation =>
          isMove(op) || op.value !== undefined ? op : { ...op, value: undefined },
        )
        const decoded = decodeBatch(encodeBatch({ spaceId, ops: spelledOut }))
        expect(decoded.ops.map((op) => Object.keys(op))).toEqual(ops.map((op) => Object.keys(op)))
      }),
    )
  })

  test('[BA10] a batch decodes from an ArrayBuffer, from any view of its bytes, and from those of another realm', () => {
    fc.assert(
      fc.property(batches(), (batch) => {
        const bytes = encodeBatch(batch)
        const padded = new Uint8Array(bytes.length + 11)
        padded.set(bytes, 3)
        const { buffer } = padded
        expect(decodeBatch(bytes.slice().buffer)).toEqual(batch)
        expect(decodeBatch(new Uint8Array(buffer, 3, bytes.length))).toEqual(batch)
        expect(decodeBatch(new DataView(buffer, 3, bytes.length))).toEqual(batch)
        expect(decodeBatch(new Int8Array(buffer, 3, bytes.length))).toEqual(batch)
        const foreign = bytes.slice().buffer
        // A buffer of another realm has the tag of its class, and not this realm's prototype.
        Object.setPrototypeOf(foreign, { [Symbol.toStringTag]: 'ArrayBuffer' })
        expect(decodeBatch(foreign)).toEqual(batch)
      }),
      { numRuns: 100 },
    )
  })

  test('[BA10] a batch with the largest number of operations decodes', () => {
    const { spaceId, ops } = manyOps(limits.maxBatchOps)
    const decoded = decodeBatch(encodeBatch({ spaceId, ops }))
    expect(decoded.ops.length).toBe(limits.maxBatchOps)
    expect(decoded.ops.at(-1)).toEqual(ops.at(-1))
  })
})

describe('bytes that are not a batch', () => {
  test.each([undefined, null, 'text', 7, [1, 0], { length: 3 }])(
    '[BA12] %j is refused as no bytes, with one SyncError',
    (value) => {
      // Plain JavaScript can pass anything.
      expect(() => decodeBatch(value as never)).toThrow(
        expect.objectContaining({ code: 'invalid_batch', message: expect.stringContaining('bytes') }),
      )
    },
  )

  test('[BA12] random bytes are refused with one SyncError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(verdictOn(bytes)).not.toBe('wrong')
      }),
      { numRuns: 2_000 },
    )
  })

  test('[BA12] random bytes after a valid header are refused with one SyncError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 200 }), (bytes) => {
        expect(verdictOn(Uint8Array.of(1, 0, ...new Uint8Array(16), ...bytes))).not.toBe('wrong')
      }),
      { numRuns: 2_000 },
    )
  })

  test('[BA11] [BA12] a mutated batch is refused, or its operations encode to the same bytes', () => {
    let accepted = 0
    fc.assert(
      fc.property(batches({ maxOps: 12 }), mutations, (batch, mutate) => {
        const verdict = verdictOn(mutate(encodeBatch(batch)))
        expect(verdict).not.toBe('wrong')
        if (verdict === 'canonical') accepted++
      }),
      { numRuns: 4_000 },
    )
    // Otherwise no accepted mutation would have been compared.
    expect(accepted).toBeGreaterThan(100)
  })

  test('[BA12] every truncation of a batch is refused', () => {
    fc.assert(
      fc.property(
        batches({ maxOps: 8 }).filter((batch) => batch.ops.length > 0),
        (batch) => {
          const bytes = encodeBatch(batch)
          for (let length = 0; length < bytes.length; length++) {
            expect(() => decodeBatch(bytes.subarray(0, length))).toThrow(SyncError)
          }
        },
      ),
      { numRuns: 50 },
    )
  })
})

/** `canonical`: the bytes decode to valid operations that encode to the same bytes. Rethrows all but SyncErrors. */
function verdictOn(bytes: Uint8Array): 'refused' | 'canonical' | 'wrong' {
  let batch: Batch
  try {
    batch = decodeBatch(bytes)
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
    return error.code === 'invalid_batch' || error.code === 'too_large' ? 'refused' : 'wrong'
  }
  const areValid = batch.ops.every(
    (op) => treeOperationSchema.safeParse(op).success && op.spaceId === batch.spaceId,
  )
  const again = encodeBatch(batch)
  const areEqual = again.length === bytes.length && again.every((byte, index) => byte === bytes[index])
  return areValid && areEqual ? 'canonical' : 'wrong'
}

const mutations: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc.oneof(
  fc.tuple(fc.nat(), fc.nat(7)).map(([at, bit]) => (bytes: Uint8Array) => {
    const mutated = bytes.slice()
    mutated[at % bytes.length]! ^= 1 << bit
    return mutated
  }),
  fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => (bytes: Uint8Array) => {
    const mutated = bytes.slice()
    mutated[at % bytes.length] = byte
    return mutated
  }),
  fc
    .tuple(fc.nat(), fc.nat(8), fc.uint8Array({ maxLength: 8 }))
    .map(([at, removed, added]) => (bytes: Uint8Array) => {
      const from = at % bytes.length
      return Uint8Array.of(...bytes.subarray(0, from), ...added, ...bytes.subarray(from + removed))
    }),
  fc.tuple(fc.nat(), fc.nat(), fc.nat(32)).map(([from, to, length]) => (bytes: Uint8Array) => {
    const mutated = bytes.slice()
    return mutated.copyWithin(to % bytes.length, from % bytes.length, (from % bytes.length) + length)
  }),
)

function manyOps(count: number) {
  const { spaceId, treeId, peerId, targetId } = treeOperationSchema.parse({
    clock: 1,
    peerId: '123',
    treeId: 'tree',
    spaceId: '0'.repeat(32),
    targetId: 'vertex',
    key: 'count',
  })
  const ops = Array.from({ length: count }, (_, index): TreeOperation => {
    return { clock: index + 1, peerId, treeId, spaceId, targetId, key: 'count', value: index }
  })
  return { spaceId, ops }
}
