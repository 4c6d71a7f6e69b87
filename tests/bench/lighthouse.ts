import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

import { findChromium } from '../lib/chromium.ts'
import { startServer } from '../lib/server-process.ts'

/**
 * What Lighthouse says of a first visit on its phone profile: the built server, a new browser each time. Prints the scores
 * and times of each run, their medians, and every audit that is not green:
 *
 *     pnpm build && node --conditions=source tests/bench/lighthouse.ts [runs]
 *
 * Lighthouse is no dependency of the project: npx fetches it. What it says of the performance depends on the machine. It
 * slows the page down to a quarter of that, so other work on the same machine is multiplied by four. The "benchmark
 * index" says how fast the machine was just before.
 */

const runs = Number(process.argv[2] ?? 5)
const lighthouse = 'lighthouse@13.5.0'
const times = {
  'first-contentful-paint': 'first paint',
  'largest-contentful-paint': 'largest paint',
  'total-blocking-time': 'blocked',
  'cumulative-layout-shift': 'layout shift',
}

interface Report {
  readonly categories: Record<string, { score: number | null; auditRefs: { id: string }[] }>
  readonly audits: Record<string, { score: number | null; numericValue?: number; title: string }>
  readonly environment: { benchmarkIndex: number }
}

const { executablePath, env } = await findChromium()
const folder = await mkdtemp(join(tmpdir(), 't69-lighthouse-'))
await using server = await startServer()
const rows: Record<string, Record<string, number>> = {}
const notGreen = new Set<string>()
for (let run = 1; run <= runs; run++) {
  const { categories, audits, environment } = await audit()
  const row: Record<string, number> = {}
  for (const [name, { score, auditRefs }] of Object.entries(categories)) {
    row[name] = Math.round((score ?? 0) * 100)
    for (const { id } of auditRefs) {
      const found = audits[id]
      if (found !== undefined && found.score !== null && found.score < 0.9)
        notGreen.add(`${name}: ${found.title} (${id})`)
    }
  }
  for (const [id, name] of Object.entries(times)) row[name] = Number(audits[id]?.numericValue?.toFixed(2))
  row['benchmark index'] = environment.benchmarkIndex
  rows[run] = row
}
const names = Object.keys(rows[1] ?? {})
rows['median'] = Object.fromEntries(names.map((name) => [name, median(name)]))
console.table(rows)
console.log([...notGreen].join('\n'))
await rm(folder, { recursive: true, force: true })

function median(name: string): number {
  const values = Object.values(rows)
    .map((row) => row[name] ?? Number.NaN)
    .toSorted((a, b) => a - b)
  return values[Math.floor(values.length / 2)] ?? Number.NaN
}

async function audit(): Promise<Report> {
  const file = join(folder, 'report.json')
  const child = spawn(
    'npx',
    [
      '--yes',
      lighthouse,
      server.url,
      '--quiet',
      '--output=json',
      `--output-path=${file}`,
      '--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage',
    ],
    {
      stdio: 'inherit',
      // The `node` that runs this, where the system's is older than Lighthouse wants.
      env: {
        ...process.env,
        ...env,
        CHROME_PATH: executablePath,
        PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
      },
    },
  )
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  child.once('error', reject)
  child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`Lighthouse ended with ${code}`))))
  await promise
  return JSON.parse(await readFile(file, 'utf8'))
}
