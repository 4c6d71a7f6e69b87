import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as after } from 'node:timers/promises'

import { createSqliteOpLogs } from '../src/logs/sqlite-op-logs.ts'
import { readTree, type TreeQuestion, type TreeReader } from '../src/storage/tree-reader.ts'
import { appendTo, moveOp, newEpoch, setOp, spaceId, treeId } from '../src/testing/ops.ts'
import { createTreePool } from '../src/trees/tree-pool.ts'

/** Measures how long the event loop is blocked while a large tree is read: by itself, and by a thread. */

const operations = Number(process.argv[2] ?? 200_000)
const rounds = 5

const dataDir = mkdtempSync(join(tmpdir(), 't69-bench-'))
const log = createSqliteOpLogs({ dataDir, synchronous: 'normal' }).open(spaceId, newEpoch())
const ops = [moveOp(1, null, { target: treeId })]
for (let clock = 2; ops.length < operations; clock += 2) {
  const target = `vertex-${clock}`
  ops.push(moveOp(clock, treeId, { target }), setOp(clock + 1, `what somebody said at ${clock}`, { target }))
}
for (let start = 0; start < ops.length; start += 20_000) appendTo(log, ops.slice(start, start + 20_000))

const pool = createTreePool({ dataDir, damaged: () => {} })
const readers: Record<string, TreeReader> = {
  'event loop': async (question) => readTree(log, question),
  thread: pool.read,
}
const tree = { spaceId, treeId, maxBytes: Infinity }
const questions: TreeQuestion[] = [
  { ...tree, kind: 'digest', logId: log.logId, cursor: log.head },
  { ...tree, kind: 'snapshot' },
]

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

for (const question of questions) {
  for (const [name, read] of Object.entries(readers)) {
    await read(question)
    const took: number[] = []
    const paused: number[] = []
    for (let round = 0; round < rounds; round++) {
      using delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      await after(50)
      const start = performance.now()
      await read(question)
      took.push(performance.now() - start)
      await after(20)
      paused.push(delay.max / 1e6)
    }
    const figures = [`${median(took).toFixed(0)} ms`, `longest pause ${median(paused).toFixed(0)} ms`]
    console.log(`${question.kind} of ${operations} operations, ${name}: ${figures.join(', ')}`)
  }
}
await pool.close()
log.close()
rmSync(dataDir, { recursive: true, force: true })
