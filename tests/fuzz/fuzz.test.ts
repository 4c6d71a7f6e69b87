import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { targetNames, type TargetName } from './fuzz-target.ts'
import { runFuzz, type FuzzRun } from './run-fuzz.ts'
import { planted } from './targets/planted.ts'

/**
 * A slice of what `pnpm fuzz` does for as long as one likes: the same targets, from the same seed each time,
 * so that a failure is of a change. FUZZ_SEED takes another, FUZZ_INPUTS as many of each target.
 */
const seed = Number(process.env['FUZZ_SEED'] ?? 1)
const slices: Record<TargetName, number> = {
  decoder: 20_000,
  replica: 600,
  gateway: 400,
  client: 250,
  http: 250,
  planted: 0,
}
const asked = process.env['FUZZ_INPUTS']
const patience = { isGuided: true, corpus: [], seconds: 3_600 }

describe.each(targetNames.filter((name) => name !== 'planted'))('%s', (target) => {
  test(
    'whatever the bytes, no promise is broken, nothing hangs, and memory stays bounded',
    { timeout: 3_600_000 },
    async () => {
      const inputs = asked === undefined ? slices[target] : Number(asked)
      const report = await runFuzz({ ...patience, target, seed, inputs })
      const { corpus, outcomes, seconds } = report
      console.log({
        target,
        seed,
        inputs: report.inputs,
        seconds,
        corpus: corpus.length,
        outcomes: outcomes.length,
      })
      const findings = report.findings.map(
        ({ message, input }) => `${message}\n${Buffer.from(input).toString('hex')}`,
      )
      expect(findings).toEqual([])
      expect(report.inputs).toBeGreaterThanOrEqual(inputs)
      // It would be a poor fuzzer that is always answered alike.
      expect(outcomes.length).toBeGreaterThan(10)
    },
  )
})

/** What broke a promise once, in hex: `<target> <what it did>.hex`. */
const regressions = globSync(join(import.meta.dirname, 'regressions/*.hex')).map((file) => {
  const [name = '', ...rest] = basename(file, '.hex').split(' ')
  const hex = readFileSync(file, 'utf8').replaceAll(/\s/g, '')
  return { name, title: rest.join(' '), input: Uint8Array.from(Buffer.from(hex, 'hex')) }
})

test.each(regressions)('$name: $title', async ({ name, input }) => {
  const target = targetNames.find((it) => it === name)
  if (target === undefined) throw new Error(`there is no target ${name}`)
  const report = await runFuzz({ ...patience, target, seed, inputs: 1, corpus: [input] })
  expect(report.findings).toEqual([])
})

describe('the fuzzer', () => {
  const run: FuzzRun = { ...patience, target: 'planted', seed, inputs: 100_000, hangMs: 1_000 }

  test('finds its way to an input that throws, and says which it is', async () => {
    const { findings } = await runFuzz(run)
    expect(findings[0]?.message).toMatch(/planted|hangs|memory/)
    expect<(number | undefined)[]>(Object.values(planted)).toContain(findings[0]?.input[0])
  })

  test('notices an input that hangs, and one that takes all memory', async () => {
    const hangs = await runFuzz({ ...run, corpus: [Uint8Array.of(planted.hangs)] })
    expect(hangs.findings).toMatchObject([
      { message: 'hangs for 1000 ms', input: Uint8Array.of(planted.hangs) },
    ])
    const devours = await runFuzz({ ...run, hangMs: 20_000, corpus: [Uint8Array.of(planted.devours)] })
    expect(devours.findings).toMatchObject([
      { message: expect.stringContaining('memory'), input: Uint8Array.of(planted.devours) },
    ])
  })
})
