import { zstdCompressSync, constants } from 'node:zlib'

import { decodeBatch, encodeBatch, limits, openBatch, readBatchHeader, SyncError } from '@t69/protocol'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { WrongContentError } from '../sqlite/storage-failure.ts'
import { opsFrom, spaceId } from '../testing/ops.ts'
import { batchOf, checkSegment, makeSegment, opsOf } from './segment.ts'

const ops = opsFrom(1, 500)
const batch = encodeBatch({ spaceId, ops })
const segment = makeSegment(0, ops.length, batch)

function refusalOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
  return 'none'
}

describe('a segment', () => {
  it('has the batch that it was made of, in less room', () => {
    expect(batchOf(segment)).toEqual(new Uint8Array(batch))
    expect(opsOf(segment).count).toBe(ops.length)
    expect(segment.page.length).toBeLessThan(batch.length / 2)
    expect(() => checkSegment(segment)).not.toThrow()
  })

  it('does not fit its checksum with any other bit, place or length', () => {
    fc.assert(
      fc.property(fc.nat(segment.page.length * 8 - 1), (bit) => {
        const page = new Uint8Array(segment.page)
        page[bit >> 3] = (page[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expect(() => checkSegment({ ...segment, page })).toThrow('the segment after 0')
      }),
    )
    for (const change of [{ after: 1 }, { cursor: 501 }, { bytes: 1 }]) {
      expect(() => checkSegment({ ...segment, ...change })).toThrow('does not fit its checksum')
    }
  })
})

describe('a segment that somebody made', () => {
  it('is wrong content if it is no zstd, is cut off, or is too large', () => {
    const bomb = zstdCompressSync(new Uint8Array(limits.maxBatchBytes + 1))
    for (const page of [new Uint8Array([1, 2, 3, 4, 5]), segment.page.subarray(0, 20), bomb])
      expect(() => opsOf({ ...segment, page })).toThrow(WrongContentError)
  })

  it('is wrong content if a value in it is not UTF-8', () => {
    const broken = new Uint8Array(batch)
    // The last byte is the quote that ends the last value.
    broken[broken.length - 2] = 0xff
    const opened = opsOf(makeSegment(0, ops.length, broken))
    expect(() => opened.opAt(ops.length - 1)).toThrow(SyntaxError)
  })
})

describe('a compressed batch', () => {
  it('[BA17] decodes to the operations of the batch in it', () => {
    expect(decodeBatch(segment.page)).toEqual({ spaceId, ops })
    expect(openBatch(segment.page).opAt(7)).toEqual(ops[7])
    for (const level of [1, 3, 19]) {
      const params = {
        [constants.ZSTD_c_compressionLevel]: level,
        [constants.ZSTD_c_checksumFlag]: level % 2,
      }
      expect(decodeBatch(zstdCompressSync(batch, { params })).ops).toEqual(ops)
    }
  })

  it('[BA18] is refused where only a batch as it is may be', () => {
    expect(refusalOf(() => readBatchHeader(segment.page))).toBe('invalid_batch')
  })

  it('[BA17] that states more than a reader accepts, or no size, is refused before memory is reserved for it', () => {
    const zeros = zstdCompressSync(new Uint8Array(limits.maxBatchBytes + 1))
    expect(zeros.length).toBeLessThan(200)
    expect(refusalOf(() => decodeBatch(zeros))).toBe('too_large')
    const endless = new Uint8Array(segment.page)
    // A size of eight bytes, all of whose bits are set.
    endless.set([0xe0, 255, 255, 255, 255, 255, 255, 255, 255], 4)
    expect(refusalOf(() => decodeBatch(endless))).toBe('too_large')
    const unstated = new Uint8Array(segment.page)
    unstated[4] = 0
    expect(refusalOf(() => decodeBatch(unstated))).toBe('invalid_batch')
    for (const length of [4, 5, 6, 20, segment.page.length - 1]) {
      expect(refusalOf(() => decodeBatch(segment.page.subarray(0, length)))).not.toBe('none')
    }
  })

  it('[BA17] whose frame holds more or less than it states, or another frame, is refused', () => {
    const small = encodeBatch({ spaceId, ops: ops.slice(0, 3) })
    const frame = zstdCompressSync(small)
    // The size is the byte after the descriptor.
    for (const change of [-1, 1]) {
      const other = new Uint8Array(frame)
      other[5] = (other[5] ?? 0) + change
      expect(
        refusalOf(() => decodeBatch(other)),
        String(change),
      ).toBe('invalid_batch')
    }
    const twice = zstdCompressSync(new Uint8Array(zstdCompressSync(small)))
    expect(refusalOf(() => decodeBatch(twice))).toBe('invalid_batch')
    const followed = new Uint8Array([...frame, ...frame])
    expect(refusalOf(() => decodeBatch(followed))).toBe('invalid_batch')
  })

  it('[BA17] with any wrong bytes is refused or decodes, and never anything else', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(segment.page.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.nat(segment.page.length),
        (changes, cut) => {
          const page = new Uint8Array(segment.page)
          for (const [at, byte] of changes) if (at >= 4) page[at] = byte
          const refused = refusalOf(() => decodeBatch(cut % 5 === 0 ? page.subarray(0, cut) : page))
          expect(['none', 'invalid_batch', 'too_large']).toContain(refused)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
