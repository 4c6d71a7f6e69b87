import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { targetNames, type TargetName } from './fuzz-target.ts'
import { runFuzz, type FuzzRun } from './run-fuzz.ts'
import { planted } from './targets/planted.ts'

/**
 * A short run of each target of `pnpm fuzz`, always from the same seed, so that a failure comes from a change.
 * FUZZ_SEED sets another seed, FUZZ_INPUTS the number of inputs for each target.
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
    'no bytes break a promise, hang the target, or take more than its memory',
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
      // A fuzzer that always gets the same outcome does not work.
      expect(outcomes.length).toBeGreaterThan(10)
    },
  )
})

/** Inputs that once broke a promise, in hex: `<target> <what it did>.hex`. */
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

  test('the fuzzer finds an input that throws, and reports it', async () => {
    const { findings } = await runFuzz(run)
    expect(findings[0]?.message).toMatch(/planted|hangs|memory/)
    expect<(number | undefined)[]>(Object.values(planted)).toContain(findings[0]?.input[0])
  })

  test('the fuzzer reports an input that hangs, and one that takes all memory', async () => {
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
