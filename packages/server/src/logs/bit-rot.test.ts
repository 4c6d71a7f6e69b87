import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'

import { type SpaceId, SyncError, type TreeOperation } from '@t69/protocol'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'

import { StorageFailure } from '../sqlite/storage-failure.ts'
import { anybody, moveOp, newEpoch, setOp, spaceId, treeId } from '../testing/ops.ts'
import type { OpLog } from './op-log.ts'
import { createSqliteOpLogs } from './sqlite-op-logs.ts'

/** Flipped bits. Set BIT_FLIPS=1000 for the long run, and BIT_SEED for another one. */
const flips = Number(process.env['BIT_FLIPS'] ?? 60)
const seed = Number(process.env['BIT_SEED'] ?? 1)

const settling = { keepOps: 300, minOps: 1, maxOps: 500 }
const roomy = { maxOps: 1_000_000, maxBytes: 1e9 }

let folder: string
let original: string
let contents: Contents

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 't69-rot-'))
  const opLogs = createSqliteOpLogs({ dataDir: join(folder, 'original'), settling })
  const log = opLogs.open(spaceId, newEpoch())
  for (let first = 1; first < 1_200; first += 100) {
    log.append([{ userId: anybody, ops: drawn(first) }], first * 60_000)
  }
  while (log.isUnsettled) log.settle()
  contents = contentsOf(log)
  log.close()
  original = join(folder, 'original', spaceId.slice(0, 2), `${spaceId}.db`)
})
afterAll(() => rmSync(folder, { recursive: true }))

function drawn(first: number): TreeOperation[] {
  return Array.from({ length: 100 }, (_, index) => {
    const clock = first + index
    const where = { peer: `p${clock % 3}`, tree: clock % 4 === 0 ? 'b' : treeId, target: `v${clock % 50}` }
    return clock % 7 === 0
      ? moveOp(clock, clock % 2 === 0 ? '0' : 'parent', where)
      : setOp(clock, `text ${clock}`, where)
  })
}

interface Contents {
  readonly ops: TreeOperation[]
  readonly tree: TreeOperation[]
  /** What the log says of each operation, and of one that has its id and other content. */
  readonly verdicts: (string | undefined)[]
}

function contentsOf(log: OpLog, ops = log.read(0, roomy)): Contents {
  const asked = ops.flatMap((op) => [
    op,
    { ...moveOp(op.clock, 'other'), peerId: op.peerId, treeId: op.treeId },
  ])
  const verdicts = log.lookUp(asked)
  return {
    ops: log.read(0, roomy),
    tree: log.readTree(treeId).ops,
    verdicts: asked.map((op) => verdicts.get(op)),
  }
}

type Outcome = 'harmless' | 'set aside' | 'refused' | 'other'

/** What becomes of the file with one bit flipped, as servers use it. */
function outcomeOf(bit: number): Outcome {
  const dataDir = join(folder, String(bit))
  const path = join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
  mkdirSync(dirname(path), { recursive: true })
  copyFileSync(original, path)
  const bytes = readFileSync(path)
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  writeFileSync(path, bytes)
  const warnings: object[] = []
  const known = Object.assign(new Set<SpaceId>([spaceId]), { identityOf: () => undefined })
  const opLogs = createSqliteOpLogs({
    dataDir,
    synchronous: 'normal',
    settling,
    known,
    warn: (details) => void warnings.push(details),
  })
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      let log: OpLog | undefined
      try {
        log = opLogs.open(spaceId, newEpoch())
        if (log.head === 0) return warnings.length > 0 ? 'set aside' : 'other'
        return isDeepStrictEqual(contentsOf(log, contents.ops), contents) ? 'harmless' : 'other'
      } catch (error) {
        // The operator is told which file, and why.
        if (!(error instanceof SyncError) || !(error.cause instanceof StorageFailure)) throw error
      } finally {
        log?.close()
      }
    }
    return 'refused'
  } finally {
    rmSync(dataDir, { recursive: true })
  }
}

it(`a file in which one bit rots is as it was, or is set aside, or is refused, and gives out nothing else (${flips} bits)`, () => {
  const size = readFileSync(original).length * 8
  const bits = fc.sample(fc.nat(size - 1), { numRuns: flips, seed })
  const outcomes = new Map<Outcome, number[]>()
  for (const bit of bits) {
    const outcome = outcomeOf(bit)
    outcomes.set(outcome, [...(outcomes.get(outcome) ?? []), bit])
  }
  expect(outcomes.get('other') ?? []).toEqual([])
  if (flips > 60)
    console.log(Object.fromEntries([...outcomes].map(([outcome, found]) => [outcome, found.length])))
})
