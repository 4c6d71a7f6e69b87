import { parseArgs } from 'node:util'

import { targetNames, type TargetName } from './fuzz-target.ts'
import { runFuzz } from './run-fuzz.ts'

/** `pnpm fuzz --target decoder --inputs 1000000 --seconds 240 --seed 1`: fuzzes like the tests, but longer. */

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: 'decoder' },
    inputs: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '240' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
})

const target = targetNames.find((name): name is TargetName => name === values.target)
if (target === undefined) throw new Error(`--target is one of ${targetNames.join(', ')}`)
const seed = Number(values.seed)
const explored = 200_000
console.log(`${target}: seed ${seed}`)
const run = { target, seed, inputs: Number(values.inputs), seconds: Number(values.seconds), corpus: [] }
// Coverage finds what it can within minutes. After that, more inputs find more for the same time.
const first = await runFuzz({ ...run, inputs: Math.min(run.inputs, explored), isGuided: true })
const more = {
  ...run,
  seed: seed + 1,
  inputs: run.inputs - first.inputs,
  seconds: run.seconds - first.seconds,
  corpus: first.corpus,
  isGuided: false,
}
const isOver = first.findings.length > 0 || more.inputs <= 0 || more.seconds <= 0
const reports = isOver ? [first] : [first, await runFuzz(more)]

const inputs = reports.reduce((sum, report) => sum + report.inputs, 0)
const seconds = reports.reduce((sum, report) => sum + report.seconds, 0)
const { corpus, outcomes } = reports.at(-1) ?? first
const { shares } = first
const findings = reports.flatMap((report) => report.findings)
const peakMb = Math.round(process.resourceUsage().maxRSS / 1024)
console.log(`${inputs} inputs in ${seconds.toFixed(1)} s: ${Math.round(inputs / seconds)} a second`)
console.log(`${corpus.length} in the corpus, ${outcomes.length} kinds of outcome, ${peakMb} MB at the peak`)
for (const [outcome, count] of outcomes.slice(0, 15)) console.log(`  ${count} × ${outcome}`)
for (const [file, share] of Object.entries(shares)) {
  if (share < 1) console.log(`  ${(share * 100).toFixed(1)} % of ${file}`)
}
for (const { message, input } of findings) {
  console.log(`\n${message}\n${Buffer.from(input.subarray(0, 4_096)).toString('hex')}`)
}
process.exitCode = findings.length === 0 ? 0 : 1
