import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'

import { flushMs, useMemory } from './lib/folder.ts'
import { median } from './lib/stats.ts'
import { peers } from './peers/index.ts'
import type { Peer } from './peers/peer.ts'
import type { Results, Row } from './results.ts'
import { workloads } from './workloads/index.ts'
import { sqliteLimit } from './workloads/ingest.ts'
import type { Workload } from './workloads/workload.ts'

/**
 * Runs the workloads that are named, or all, with every peer, and prints a table for each. The figures are kept in
 * `results/`, with what was measured and where.
 *
 *     pnpm bench [--in-memory] [--once] [workload ...]
 *
 * With `--in-memory` no server waits for the disk, and the results are named so. With `--once` there is one round.
 */

/** A run that takes longer has failed: a peer that never gets there says so in its row. */
const deadlineMs = 60_000

const root = join(import.meta.dirname, '../..')
const results = join(import.meta.dirname, '../results')

if (!existsSync(join(root, 'packages/server/dist/main.js'))) {
  console.log('t69 is built first.')
  for (const args of [
    ['install', '--frozen-lockfile'],
    ['run', 'build'],
  ]) {
    execFileSync('npx', ['--yes', 'pnpm@12.21.0', ...args], { cwd: root, stdio: 'inherit' })
  }
}

const inMemory = process.argv.includes('--in-memory')
if (inMemory) useMemory()
const isOnce = process.argv.includes('--once')
const named = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const unknown = named.filter((name) => !workloads.some((workload) => workload.name === name))
if (unknown.length > 0) {
  console.error(
    `no workload is named ${unknown.join(', ')}: there are ${workloads.map(({ name }) => name).join(', ')}`,
  )
  process.exit(2)
}

mkdirSync(results, { recursive: true })
for (const workload of workloads) {
  if (named.length > 0 && !named.includes(workload.name)) continue
  await measure(workload)
}

async function measure(workload: Workload): Promise<void> {
  console.log(`\n${workload.name}: ${workload.what}`)
  const measured = peers.filter((peer) => workload.takes?.(peer) ?? true)
  const runs = new Map<Peer, (Readonly<Record<string, number>> | string)[]>(
    measured.map((peer) => [peer, []]),
  )
  // One peer after another in each round, so that a busy minute is everybody's.
  const rounds = isOnce ? 1 : workload.rounds
  for (let round = 0; round < rounds; round++) {
    for (const peer of measured) runs.get(peer)?.push(await attempt(workload, peer))
  }
  const rows = [...runs].map(([peer, of]) => rowOf(workload, peer, of))
  if (workload.name === 'ingest') {
    const limits = Array.from({ length: rounds }, () => sqliteLimit())
    rows.push({ ...rowOf(workload, undefined, limits), peer: 'better-sqlite3 alone' })
  }
  console.table(
    Object.fromEntries(
      rows.map(({ peer, medians, failure }) => [
        peer,
        failure === undefined
          ? Object.fromEntries(
              Object.entries(medians).map(([name, value]) => [
                `${name}, ${workload.figures[name]}`,
                Number(value.toPrecision(3)),
              ]),
            )
          : { failure },
      ]),
    ),
  )
  const name = inMemory ? `${workload.name}-in-memory` : workload.name
  const { what, figures } = workload
  const machine = {
    cores: cpus().length,
    processor: cpus()[0]?.model,
    node: process.version,
    flushMs: flushMs(),
  }
  const file: Results = { name, what, figures, at: new Date().toISOString(), commit: commit(), machine, rows }
  writeFileSync(join(results, `${name}.json`), `${JSON.stringify(file, undefined, 2)}\n`)
}

/** Does it once, in a process of its own, with the servers that it starts. Resolves with the figures, or with why there are none. */
async function attempt(workload: Workload, peer: Peer): Promise<Readonly<Record<string, number>> | string> {
  const where = inMemory ? ['in-memory'] : []
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'run-one.ts'), workload.name, peer.name, ...where],
    {
      // A group of its own, which ends with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let printed = ''
  let failed = ''
  child.stdout.on('data', (text: Buffer) => (printed += text.toString()))
  child.stderr.on('data', (text: Buffer) => (failed = (failed + text.toString()).slice(-2_000)))
  const timer = setTimeout(() => end(child.pid), deadlineMs)
  await once(child, 'close')
  clearTimeout(timer)
  if (child.signalCode !== null) return `not done after ${deadlineMs / 1000} s`
  end(child.pid)
  const line = printed.trim().split('\n').at(-1) ?? ''
  if (child.exitCode !== 0) return /^\w*Error: .*/m.exec(failed)?.[0] ?? failed
  return JSON.parse(line) as Record<string, number>
}

function end(group: number | undefined): void {
  try {
    if (group !== undefined) process.kill(-group, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function rowOf(
  { figures }: Workload,
  peer: Peer | undefined,
  of: readonly (Readonly<Record<string, number>> | string)[],
): Row {
  const runs = of.filter((run) => typeof run !== 'string')
  const failure = of.find((run) => typeof run === 'string')
  const medians = Object.fromEntries(
    Object.keys(figures).map((name) => [name, median(runs.map((run) => run[name] ?? Number.NaN))]),
  )
  return {
    peer: peer?.name ?? '',
    versions: Object.fromEntries((peer?.packages ?? []).map((name) => [name, versionOf(name)])),
    ...(peer !== undefined && { ack: peer.ack }),
    medians,
    runs,
    ...(failure !== undefined && { failure }),
  }
}

function versionOf(name: string): string {
  const file = join(import.meta.dirname, '../node_modules', name, 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

function commit(): string {
  return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
}
