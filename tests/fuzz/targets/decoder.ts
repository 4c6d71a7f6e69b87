import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'

import { decodeBatch, encodeBatch, limits, operationProblem, SyncError, type Batch } from '@t69/protocol'
import { batches } from '@t69/protocol/testing/arbitraries'
import * as fc from 'fast-check'

import type { Random } from '../../lib/random.ts'
import { rawBatch, type RawOp } from '../../lib/raw-batch.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { mutateBatch } from '../mutate-batch.ts'

const spaceId = 'a1'.repeat(16)
/** How much longer an input may take than an honest batch of the same size. */
const slowness = 100

/**
 * Any bytes decode to a batch, or are refused with a `SyncError` of one of two codes. A decoded batch keeps the rules, and
 * encodes to the same bytes. No input takes long for its size.
 */
export function decoderTarget(): FuzzTarget {
  const large = largeBatches()
  const boundMs = calibrate(large)

  function decode(input: Uint8Array): Batch | SyncError {
    try {
      return decodeBatch(input)
    } catch (error) {
      if (error instanceof SyncError) return error
      throw error
    }
  }

  function timed(input: Uint8Array): number {
    const from = performance.now()
    decode(input)
    return performance.now() - from
  }

  return {
    seeds: (random) => {
      const small = smallBatches(random)
      // Batches of pages may be compressed. The large ones of many operations shrink to little.
      const compressed = [...small.slice(-20), ...large].map(
        (batch) => new Uint8Array(zstdCompressSync(batch)),
      )
      return [...small, ...large, ...compressed]
    },
    mutate: mutateBatch,
    run: (input) => {
      const from = performance.now()
      const outcome = decode(input)
      const tookMs = performance.now() - from
      const bound = boundMs(isCompressed(input) ? limits.maxBatchBytes : input.length)
      // Garbage collection may slow down one run, but not three in a row.
      if (tookMs > bound && [1, 2, 3].every(() => timed(input) > bound)) {
        throw new Error(`${input.length} bytes took ${tookMs.toFixed(1)} ms, more than ${bound.toFixed(1)}`)
      }
      if (outcome instanceof SyncError) return refusalOf(outcome)
      return checked(outcome, input)
    },
  }
}

function refusalOf({ code, message, body: { at } }: SyncError): string {
  if (code !== 'invalid_batch' && code !== 'too_large') throw new Error(`refused with ${code}: ${message}`)
  if (at !== undefined && (typeof at !== 'number' || at >= limits.maxBatchOps)) {
    throw new Error(`refused at ${at}: ${message}`)
  }
  return `${code}${at === undefined ? '' : ' at'}: ${message.replaceAll(/\d+/g, '#')}`
}

function checked(batch: Batch, input: Uint8Array): string {
  for (const [at, op] of batch.ops.entries()) {
    const problem = operationProblem(op) ?? (op.spaceId === batch.spaceId ? undefined : 'another space')
    if (problem !== undefined) throw new Error(`decoded an invalid operation, ${at}: ${problem}`)
  }
  const plain = isCompressed(input) ? decompressed(input) : input
  if (plain !== undefined && Buffer.compare(encodeBatch(batch), plain) !== 0) {
    throw new Error('does not encode to the same bytes')
  }
  const { ops } = batch
  const count = (of: (op: (typeof ops)[number]) => unknown): number => magnitude(new Set(ops.map(of)).size)
  const names = `${count((op) => op.peerId)}/${count((op) => op.treeId)}/${count((op) => op.targetId)}`
  return `taken: ${magnitude(ops.length)} ops, ${names} names`
}

/** A batch begins with its version, a frame of zstd with this. */
const isCompressed = (input: Uint8Array): boolean => input[0] === 0x28

/** What Node makes of a frame. Undefined for one that it refuses: it checks what a checksum says, and our decoder does not. */
function decompressed(input: Uint8Array): Uint8Array | undefined {
  try {
    return zstdDecompressSync(input, { maxOutputLength: limits.maxBatchBytes })
  } catch {
    return undefined
  }
}

const magnitude = (count: number): number => Math.ceil(Math.log2(count + 1))

/** How long a batch of a given size may take: a multiple of the time of honest batches on this machine. */
function calibrate(honest: readonly Uint8Array[]): (bytes: number) => number {
  const small = encodeBatch(decodeBatch(rawBatch(spaceId, [{ text: '1' }])))
  const median = (input: Uint8Array): number => {
    const times = Array.from({ length: 11 }, () => {
      const from = performance.now()
      decodeBatch(input)
      return performance.now() - from
    })
    return times.toSorted((a, b) => a - b)[5] ?? 0
  }
  // Warm up before measuring.
  for (let left = 500; left > 0; left--) decodeBatch(small)
  const baseMs = Math.max(median(small), 0.01)
  const msPerByte = Math.max(...honest.map((input) => median(input) / input.length))
  return (bytes) => slowness * (baseMs + bytes * msPerByte)
}

interface Vector {
  readonly hex: string
}

function smallBatches(random: Random): Uint8Array[] {
  const vectors = ['valid', 'invalid'].flatMap((name) => {
    const file = join(import.meta.dirname, `../../../packages/protocol/vectors/${name}.json`)
    const parsed = JSON.parse(readFileSync(file, 'utf8')) as Vector[]
    return parsed.map(({ hex }) => Uint8Array.from(Buffer.from(hex, 'hex')))
  })
  const honest = fc.sample(batches({ maxOps: 12 }), { numRuns: 150, seed: random.below(2 ** 31) })
  return [...vectors, ...honest.map((batch) => encodeBatch(batch))]
}

/** Batches near the limits, each in another column: operations, ids, one value, many values. */
function largeBatches(): Uint8Array[] {
  const many = (count: number, op: (index: number) => RawOp): Uint8Array =>
    rawBatch(
      spaceId,
      Array.from({ length: count }, (_, index) => op(index)),
    )
  return [
    many(20_000, (index) => ({ clock: index + 1, targetId: `${index % 7}`, key: 'k' })),
    many(18_000, (index) => ({ clock: index + 1, targetId: `v${index}`, parentId: '0' })),
    many(1, () => ({ text: JSON.stringify('x'.repeat(limits.maxValueBytes - 2)) })),
    many(1, () => ({ text: JSON.stringify(Array.from({ length: 100_000 }, (_, index) => index % 10)) })),
    many(9_000, (index) => ({
      clock: index + 1,
      key: `key ${index % 50}`,
      text: `{"n":${index},"é":[null]}`,
    })),
  ]
}
