import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { limits, type TreeOperation } from '@t69/protocol'
import { Replica, toTreeOperation } from '@t69/replica'
import { appendTo, newEpoch, opsFrom, spaceId, treeId } from '@t69/server/testing/ops'
import { readPage } from '@t69/server/testing/read-page'
import { createSqliteOpLogs } from '@t69/server/testing/sqlite-op-logs'

import { applyEdit } from '../lib/file-tree.ts'
import { readTrace } from '../lib/trace.ts'

/** Measures what a log of a real history takes, and costs to read, before and after its operations have settled. */

const batchOps = Number(process.argv[2] ?? 1_000)
const dataDir = mkdtempSync(join(tmpdir(), 't69-bench-'))
const opLogs = createSqliteOpLogs({ dataDir, synchronous: 'normal' })
const ops = history()

function history(): readonly TreeOperation[] {
  const tree = Replica.create(treeId)
  for (const { edits } of readTrace('kysely')) for (const edit of edits) applyEdit(tree, edit)
  return tree.popLocalOps().map((op) => toTreeOperation(op, { spaceId, treeId }))
}

function timed(name: string, run: () => void): void {
  const before = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(before)
  console.log(`${name}: ${((user + system) / 1_000).toFixed(1)} ms of CPU`)
}

function withLog(name: string, use: (log: ReturnType<typeof opLogs.open>) => void): void {
  const log = opLogs.open(spaceId, newEpoch())
  timed(name, () => use(log))
  log.close()
  console.log(`  ${(opLogs.bytesOf(spaceId) / ops.length).toFixed(1)} bytes an operation on disk`)
}

function readPages(log: ReturnType<typeof opLogs.open>): void {
  for (let after = 0; after < log.head;) {
    after = readPage(log, { spaceId, after, maxBytes: limits.batchBudgetBytes }).cursor
  }
}

function lookUpAll(log: ReturnType<typeof opLogs.open>): void {
  for (let at = 0; at < ops.length; at += 5_000) log.lookUp(ops.slice(at, at + 5_000))
}

const small = createSqliteOpLogs({ dataDir: join(dataDir, 'small'), synchronous: 'normal' })
for (const texts of [0, 10]) {
  const log = small.open(spaceId, newEpoch())
  appendTo(log, opsFrom(1, texts))
  log.close()
  console.log(`a space of ${texts} short texts takes ${small.bytesOf(spaceId)} bytes`)
}
withLog(`append ${ops.length} operations, ${batchOps} at a time`, (log) => {
  for (let at = 0; at < ops.length; at += batchOps) appendTo(log, ops.slice(at, at + batchOps))
})
withLog('read rows in pages', readPages)
withLog('look all of them up, 5,000 at a time', lookUpAll)
withLog('read the tree', (log) => void log.readTree(treeId))
let turns = 0
let longestMs = 0
withLog('settle', (log) => {
  while (log.isUnsettled) {
    const started = performance.now()
    log.settle()
    turns++
    longestMs = Math.max(longestMs, performance.now() - started)
  }
})
console.log(`  ${turns} turns, the longest ${longestMs.toFixed(1)} ms`)
withLog('read segments in pages', readPages)
withLog('look all of them up, 5,000 at a time', lookUpAll)
withLog('read the tree', (log) => void log.readTree(treeId))
rmSync(dataDir, { recursive: true })
