import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const specFile = join(root, 'packages/protocol/SPEC.md')

/** The ids of the rules in the text, which are list items: `- [PU3] Pushing the same …`. */
function rulesOf(spec: string): string[] {
  return Array.from(spec.matchAll(/^- \[([A-Z]+\d+)\] /gm), ([, id]) => id ?? '')
}

/** The ids at the beginning of test names in the source: `'[PU3] pushing …'`, `'[PU3] [PU4] both …'`. */
function citationsOf(source: string): string[] {
  const names = source.matchAll(/['"`]((?:\[[A-Z]+\d+\],? )+)/g)
  return Array.from(names, ([, ids]) => Array.from(ids?.matchAll(/[A-Z]+\d+/g) ?? [], ([id]) => id)).flat()
}

/** The files that cite each rule. */
function readCitations(): Map<string, string[]> {
  const files = globSync(
    ['{packages,apps}/*/src/**/*.{test,contract}.ts', 'tests/{lib,system,browser}/**/*.test.ts'],
    {
      cwd: root,
    },
  )
  const citations = new Map<string, string[]>()
  for (const file of files) {
    for (const id of citationsOf(readFileSync(join(root, file), 'utf8'))) {
      citations.set(id, [...(citations.get(id) ?? []), file])
    }
  }
  return citations
}

test('every rule of SPEC.md has a different id', () => {
  expect(existsSync(specFile), specFile).toBe(true)
  const rules = rulesOf(readFileSync(specFile, 'utf8'))
  expect(rules.length).toBeGreaterThan(20)
  expect(rules.filter((id, index) => rules.indexOf(id) !== index)).toEqual([])
})

test('every rule of SPEC.md is held by a test whose name begins with its id', () => {
  const citations = readCitations()
  const unheld = rulesOf(readFileSync(specFile, 'utf8')).filter((id) => !citations.has(id))
  expect(unheld, 'rules without a test').toEqual([])
})

test('every rule that a test cites is in SPEC.md', () => {
  const rules = new Set(rulesOf(readFileSync(specFile, 'utf8')))
  const unknown = Array.from(readCitations()).filter(([id]) => !rules.has(id))
  expect(unknown, 'citations of no rule').toEqual([])
})

test('rules and citations are distinguished from other brackets', () => {
  const spec = '- [AB1] One.\n- [AB12] Two.\n  - [AB3] nested\n- [x] a task\nsee [AB4]\n'
  expect(rulesOf(spec)).toEqual(['AB1', 'AB12'])
  // The quotes are inserted, or this file itself would cite these rules.
  const quote = "'"
  const source = `test(${quote}[AB1] [AB2] hold${quote}); it(${quote}[C3] too${quote}); say(${quote}a [D4]${quote}); rows[0]`
  expect(citationsOf(source)).toEqual(['AB1', 'AB2', 'C3'])
})
