import { readFile } from 'node:fs/promises'

import { describe, expect, test } from 'vitest'

import { locales } from './locales.ts'

/** A text of the app, in English and as a language says it: one form, or as many as its plurals have. */
interface Translation {
  readonly english: readonly string[]
  readonly forms: readonly string[]
}

interface Catalog {
  /** How many forms a word has for numbers. */
  readonly plurals: number
  readonly rule: string
  readonly texts: readonly Translation[]
}

async function readCatalog(locale: string): Promise<Catalog> {
  const text = await readFile(new URL(`../../locales/${locale}.po`, import.meta.url), 'utf8')
  const [head = '', ...entries] = text.split('\n\n')
  const rule = /nplurals=(\d+); plural=(.*?);/.exec(head)
  return {
    plurals: Number(rule?.[1]),
    rule: rule?.[2] ?? '',
    texts: entries.map((entry) => ({
      english: stringsOf(entry, /^msgid(?:_plural)? /),
      forms: stringsOf(entry, /^msgstr(?:\[\d\])? /),
    })),
  }
}

/** The strings after the keywords of a catalog, which may go over several lines. */
function stringsOf(entry: string, keyword: RegExp): string[] {
  const found: string[] = []
  let isIn = false
  for (const line of entry.split('\n')) {
    const quoted = /"(.*)"$/.exec(line)?.[1]
    if (quoted === undefined) continue
    if (!line.startsWith('"')) isIn = keyword.test(line)
    if (!isIn) continue
    if (line.startsWith('"')) found.push((found.pop() ?? '') + quoted)
    else found.push(quoted)
  }
  return found
}

/** What a translation must have as often as the English text: elements, values and names in quotes. */
function partsOf(text: string): string[] {
  return (text.match(/<\/?\d\/?>|\{\d\}|%/g) ?? []).toSorted((a, b) => (a < b ? -1 : 1))
}

describe.each(locales)('the catalog of %s', async (locale) => {
  const { plurals, rule, texts } = await readCatalog(locale)

  test('has a translation of each text, with all its values', () => {
    const english = texts.length
    expect(english).toBeGreaterThan(400)
    for (const { english, forms } of texts) {
      expect(forms, english[0]).toHaveLength(english.length === 1 ? 1 : plurals)
      for (const form of forms) {
        expect(form.trim(), `${english[0]} is not translated`).not.toBe('')
        expect(partsOf(form), `${english[0]} and ${form}`).toEqual(partsOf(english.at(-1) ?? ''))
      }
    }
  })

  test('has the plurals of the language', () => {
    const select = new Intl.PluralRules(locale)
    // oxlint-disable-next-line typescript/no-implied-eval -- The rule is a line of a file of ours.
    const indexOf = new Function('n', `return Number(${rule})`) as (n: number) => number
    const categories = new Map<string, number>()
    for (let n = 0; n <= 200; n++) {
      const category = select.select(n)
      expect(indexOf(n), `${n} is ${category}`).toBe(categories.get(category) ?? indexOf(n))
      categories.set(category, indexOf(n))
      expect(indexOf(n)).toBeLessThan(plurals)
    }
  })

  test('ends a sentence with one dot, also after a date that ends with one', () => {
    for (const [sentence, style] of [
      ['The invite can be used until {0}.', { dateStyle: 'long' }],
      ['Expires on {0}.', { dateStyle: 'medium', timeStyle: 'short' }],
    ] as const) {
      const [form = ''] = texts.find(({ english }) => english[0] === sentence)?.forms ?? []
      const said = form.replace('{0}', new Intl.DateTimeFormat(locale, style).format(0))
      expect(said).toMatch(/[^.][.。।]$/)
    }
  })

  test('has the sentences that begin with who it is about', () => {
    const english = texts.map(({ english }) => english[0])
    expect(english).toContain('{0} does not accept the key.')
    expect(english).toContain('{0} gave no reply:')
  })

  test('says none of the names that keys and errors have', () => {
    const names = /^(?:Escape|Enter|Tab|Home|End|Delete|Backspace|Control\+.*|[A-Z]\w+Error|Bearer .*)$/
    expect(texts.flatMap(({ english }) => english).filter((text) => names.test(text))).toEqual([])
  })
})
