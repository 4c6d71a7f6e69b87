import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'

import { flushMs, newFolder, useMemory } from './lib/folder.ts'
import { median } from './lib/stats.ts'
import { peers } from './peers/index.ts'
import type { Results, Row } from './results.ts'
import { workloads } from './workloads/index.ts'
import type { LocalWorkload, Measured, Workload } from './workloads/workload.ts'

/**
 * Runs the workloads that are named, or all, with every peer, and prints a table for each. The figures are kept in
 * `results/`, with what was measured and where.
 *
 *     pnpm bench [--in-memory] [--once] [workload ...]
 *
 * With `--in-memory` no server waits for the disk, and the results are named so. With `--once` there is one round.
 */

/** A run that takes longer has failed: a peer that never gets there says so in its row. In seconds. */
const defaultDeadlineS = 60

type Figures = Readonly<Record<string, number>>

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
const begun = performance.now()
for (const workload of workloads) {
  if (named.length > 0 && !named.includes(workload.name)) continue
  await measure(workload)
}
console.log(`\nAll of it took ${((performance.now() - begun) / 60_000).toFixed(1)} min.`)

async function measure(workload: Workload | LocalWorkload): Promise<void> {
  console.log(`\n${workload.name}: ${workload.what}`)
  const runs = runsOf(workload)
  const took = new Map<Measured, number>()
  const limits = new Map(
    ('limits' in workload ? workload.limits : [])?.map((limit) => [limit, [] as Figures[]]),
  )
  const rounds = isOnce ? 1 : workload.rounds
  const begun = performance.now()
  // One after another in each round, so that a busy minute is everybody's. What has failed is not tried again.
  for (let round = 0; round < rounds; round++) {
    for (const [one, of] of runs) {
      if (typeof of.at(-1) === 'string') continue
      const started = performance.now()
      of.push(await attempt(workload, one))
      took.set(one, (took.get(one) ?? 0) + performance.now() - started)
    }
    for (const [limit, of] of limits) of.push(await limit.run())
  }
  const rows = [
    ...[...runs].map(([one, of]) => rowOf(workload, one, of)),
    ...[...limits].map(([{ name }, of]) => rowOf(workload, { name, packages: [] }, of)),
  ]
  const seconds = (ms: number): string => (ms / 1000).toFixed(0)
  const each = [...took].map(([{ name }, ms]) => `${name} ${seconds(ms)}`).join(', ')
  console.log(`${seconds(performance.now() - begun)} s, in ${rounds} rounds: ${each}`)
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

/** Whom it measures, with no runs yet. A peer about which it says nothing has failed at once, and says why. */
function runsOf(workload: Workload | LocalWorkload): Map<Measured, (Figures | string)[]> {
  if ('alone' in workload) return new Map(workload.alone.map((one) => [one, []]))
  return new Map(
    peers.flatMap((peer) => {
      if (peer.isBare === true && workload.withBare !== true) return []
      const takes = workload.takes?.(peer) ?? true
      if (takes === false) return []
      return [[peer, takes === true ? [] : [takes]]]
    }),
  )
}

/** Does it once, in a process of its own, with the servers that it starts. Resolves with the figures, or with why there are none. */
async function attempt(workload: Workload | LocalWorkload, { name }: Measured): Promise<Figures | string> {
  const deadlineS = workload.deadlineS ?? defaultDeadlineS
  const folder = newFolder()
  const child = spawn(process.execPath, [join(import.meta.dirname, 'run-one.ts'), workload.name, name], {
    // A group of its own, which ends with it.
    detached: true,
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  let failed = ''
  child.stdout.on('data', (text: Buffer) => (printed += text.toString()))
  child.stderr.on('data', (text: Buffer) => (failed = (failed + text.toString()).slice(-2_000)))
  const timer = setTimeout(() => end(child.pid), deadlineS * 1000)
  await once(child, 'close')
  clearTimeout(timer)
  end(child.pid)
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  if (child.signalCode !== null) return `not done after ${deadlineS} s`
  const line = printed.trim().split('\n').at(-1) ?? ''
  if (child.exitCode !== 0) return /^\w*Error: .*/m.exec(failed)?.[0] ?? failed
  return JSON.parse(line) as Figures
}

function end(group: number | undefined): void {
  try {
    if (group !== undefined) process.kill(-group, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function rowOf(
  { figures }: Pick<Workload, 'figures'>,
  { name, packages, ack }: Measured,
  of: readonly (Figures | string)[],
): Row {
  const runs = of.filter((run) => typeof run !== 'string')
  const failure = of.find((run) => typeof run === 'string')
  const medians = Object.fromEntries(
    Object.keys(figures).flatMap((figure) => {
      const values = runs.flatMap((run) => run[figure] ?? [])
      return values.length > 0 ? [[figure, median(values)]] : []
    }),
  )
  return {
    peer: name,
    versions: Object.fromEntries(packages.map((of) => [of, versionOf(of)])),
    ...(ack !== undefined && { ack }),
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
