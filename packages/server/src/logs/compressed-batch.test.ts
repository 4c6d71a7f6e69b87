import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'

import { limits, SyncError } from '@t69/protocol'
import { decompressBatch } from '@t69/protocol/testing/decompress-batch'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** Contents that are unlike each other in what is repeated, how far apart, and how likely each byte is. */
const contents = fc.oneof(
  fc.uint8Array({ maxLength: 2_000 }),
  fc.uint8Array({ maxLength: 200_000, max: 15, size: 'max' }),
  fc.tuple(fc.nat(255), fc.nat(limits.maxBatchBytes)).map(([byte, size]) => new Uint8Array(size).fill(byte)),
  fc
    .array(fc.string({ maxLength: 30 }), { minLength: 1, maxLength: 40 })
    .chain((words) => fc.array(fc.constantFrom(...words), { maxLength: 8_000, size: 'max' }))
    .map((words) => new TextEncoder().encode(words.join(' ')).subarray(0, limits.maxBatchBytes)),
  fc
    .array(fc.tuple(fc.nat(255), fc.nat(9_000)), { maxLength: 60 })
    .map((runs) => Uint8Array.from(runs.flatMap(([byte, length]) => Array.from({ length }, () => byte)))),
)

/** What Node makes of them, whose decoder is that of zstd itself. */
const frames = fc
  .record({
    content: contents,
    level: fc.integer({ min: 1, max: 19 }),
    strategy: fc.nat(9),
    hasChecksum: fc.boolean(),
  })
  .map(({ content, level, strategy, hasChecksum }) => ({
    content,
    frame: new Uint8Array(
      zstdCompressSync(content, {
        params: {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_strategy]: strategy,
          [constants.ZSTD_c_checksumFlag]: hasChecksum ? 1 : 0,
          // Large enough that the frame has one segment.
          [constants.ZSTD_c_windowLog]: 20,
        },
      }),
    ),
  }))

/** What comes out, or the code of the error. */
function outcome(run: () => Uint8Array): Buffer | string {
  try {
    return Buffer.from(run())
  } catch (error) {
    return error instanceof SyncError ? error.code : String(error)
  }
}

describe('a frame of zstd', () => {
  it('[BA17] decompresses to what was compressed, whatever the content, the level and the strategy', () => {
    fc.assert(
      fc.property(frames, ({ content, frame }) => {
        expect(Buffer.compare(decompressBatch(frame), content)).toBe(0)
      }),
      { numRuns: 150 },
    )
  })

  it('[BA17] with wrong bytes is refused, or is what the decoder of zstd makes of it', () => {
    fc.assert(
      fc.property(
        frames,
        fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.boolean()), { minLength: 1, maxLength: 4 }),
        ({ frame }, changes) => {
          const wrong = new Uint8Array(frame)
          // Most of what can be wrong is described near the start.
          for (const [at, byte, isNearStart] of changes) {
            wrong[5 + (at % Math.min(wrong.length - 5, isNearStart ? 60 : Infinity))] = byte
          }
          const ours = outcome(() => decompressBatch(wrong))
          const theirs = outcome(() => zstdDecompressSync(wrong, { maxOutputLength: limits.maxBatchBytes }))
          // Theirs looks at the checksum, too, and is content with streams that end too early.
          const areAlike = typeof ours === 'string' || typeof theirs === 'string' || ours.equals(theirs)
          expect(areAlike).toBe(true)
          expect(['invalid_batch', 'too_large', 'a batch']).toContain(
            typeof ours === 'string' ? ours : 'a batch',
          )
        },
      ),
      { numRuns: 400 },
    )
  })

  it('[BA17] whose Huffman code never ends is refused', () => {
    // A state of its weights takes no bits and follows itself.
    const frame = Buffer.from(
      '28b52ffd60201a850f0016655424f027190efa677570d4f9ff62af6de9bfb7801a8b78a49432a594f8245fccbe1b2d219b045e00a0004100457739626745773952674577394267457739f2b3a2bb1cf159d15d8ef4ace82e477856749723735674978929702c40a058480c1010c0ee201607c4c28058180e470285020006834321e15838601c4782820183c0c1404480f0c0410383112449929c99999999110a8542a15028140aefeeeeeeeeccccccccccaaaaaaaaaa8888888888feffff7fdbb66dbb6ddbb62549922467666666ce8aee72c48aee72e4ce0244444444ffffffbf6ddbb6ddb66ddb92244992333333333352a9542a954aa552e9dddddddd9d9999999959559a55551511111111d1ffffff6fdbb66db76ddbb60c0991dfdddddddd999999999955555555551111111111fdffffffb66ddb76dbb66d4b922449cecccccccc88c562b1582c168bc5777777777766666666665555555555440181f9a821dc962ac3be01d1872c6b121841a1b397fdff3fd68110020c0821c000116c06c310388261884b0830208400034408c004c3107804c310ab80a0000a0812a080800986217004c321960242082880848002a428560580fd878a7faa7398e7c00f2a63b5fa666355f5666355756b635575b3635575b3655575b3b15575b3b15642ddcd6473ce7396538e011b5ba6a7e6fbd35285876a551f282a',
      'hex',
    )
    expect(() => decompressBatch(new Uint8Array(frame))).toThrow('a Huffman code has too many symbols')
  })

  it('[BA17] whose sequences copy more than the frame states is refused before it is copied', () => {
    const size = 60_000
    const header = [0x28, 0xb5, 0x2f, 0xfd, 0x60, (size - 256) & 255, (size - 256) >> 8]
    // The only block, of 11 bytes.
    const block = [(11 << 3) | (2 << 1) | 1, 0, 0]
    // One literal, then 0x7f00 sequences.
    const literals = [1 << 3, 65, 255, 0, 0]
    // Each of one kind: no literals, the last offset but one, a match of 65,539 bytes and more.
    const sequences = [0b01010100, 0, 0, 52, 255, 255]
    const frame = Uint8Array.from([header, block, literals, sequences].flat())
    expect(() => decompressBatch(frame)).toThrow('a sequence is damaged')
  })
})
