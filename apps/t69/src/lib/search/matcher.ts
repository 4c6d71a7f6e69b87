import uFuzzy from '@leeoniya/ufuzzy'

/**
 * Finds the words of a query in texts: each of them, in any order, with one typing error each. Case and the accents of
 * Latin letters do not count. uFuzzy makes a regular expression of each word and scans the texts, which takes no index, and
 * works in languages that put no spaces between words: decision 0055.
 */

/** The letters of all scripts, with the marks that belong to them. */
const letter = String.raw`\p{L}\p{M}\d'`

const fuzzy = new uFuzzy({
  unicode: true,
  interSplit: `[^${letter}]+`,
  intraSplit: String.raw`\p{Ll}\p{Lu}`,
  intraBound: String.raw`\p{L}\d|\d\p{L}|\p{Ll}\p{Lu}`,
  intraChars: `[${letter}]`,
  intraContr: String.raw`'\p{L}{1,2}\b`,
  // One error in a word, of any kind; but none in short words, which would find nearly everything.
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- The enum has no value in the library's module.
  intraMode: 1,
})

/** How many words of a query count, and how much of each, in UTF-16 code units. */
const mostTerms = 8
const longestTerm = 60

/** How well a text fits: words that begin as asked, words that contain what was asked, or with typing errors. */
export type Fit = 0 | 1 | 2

export interface Matcher {
  /** The query has no word to look for. */
  readonly isEmpty: boolean
  /** The indices of the texts that fit. The texts are folded: see `fold`. */
  filter(folded: string[]): number[]
  fitOf(folded: string): Fit
  /** Where the words are in a text that fits: pairs of a start and an end, in order, and not overlapping. */
  rangesIn(folded: string): [number, number][]
}

/** The text as it is compared, of the same length: lower case, Latin letters without accents. */
export function fold(text: string): string {
  const lower = text.toLowerCase()
  // A few letters get longer in lower case: then the case stays, which uFuzzy ignores anyway.
  const even = lower.length === text.length ? lower : text
  return even.replaceAll(/[\u00C0-\u024F\u1E00-\u1EFF]/g, (it) => it.normalize('NFD').charAt(0))
}

export function createMatcher(query: string): Matcher {
  const terms = fold(query)
    .split(new RegExp(`[^${letter}]+`, 'u'))
    .filter((term) => term !== '')
    .slice(0, mostTerms)
    .map((term) => term.slice(0, longestTerm))
  const starts = terms.map(startOf)
  return {
    isEmpty: terms.length === 0,
    filter(folded) {
      let found: number[] | null = null
      for (const term of terms) {
        found = filterTerm(folded, term, found)
        if (found.length === 0) return []
      }
      return found ?? []
    },
    fitOf(folded) {
      if (starts.every((start) => start.test(folded))) return 0
      return terms.every((term) => folded.includes(term)) ? 1 : 2
    },
    rangesIn(folded) {
      const ranges = terms.flatMap((term) => rangeOf(folded, term)).toSorted((a, b) => a[0] - b[0])
      return ranges.filter((range, index) => index === 0 || range[0] >= (ranges[index - 1]?.[1] ?? 0))
    },
  }
}

function filterTerm(folded: string[], term: string, among: number[] | null): number[] {
  // uFuzzy takes a word of one or two letters as it is, but only at the cost of a regular expression.
  if (term.length <= 2) {
    const all = among ?? folded.keys()
    return Array.from(all).filter((index) => folded[index]?.includes(term) === true)
  }
  return (among === null ? fuzzy.filter(folded, term) : fuzzy.filter(folded, term, among)) ?? []
}

function rangeOf(folded: string, term: string): [number, number][] {
  const start = folded.search(startOf(term))
  const at = start < 0 ? folded.indexOf(term) : start
  if (at >= 0) return [[at, at + term.length]]
  if (filterTerm([folded], term, null).length === 0) return []
  const [from, to] = fuzzy.info([0], [folded], term).ranges[0] ?? []
  return from === undefined || to === undefined ? [] : [[from, to]]
}

/** The term at the beginning of a word. */
function startOf(term: string): RegExp {
  return new RegExp(String.raw`(?<![\p{L}\p{M}\d])${escaped(term)}`, 'iu')
}

function escaped(term: string): string {
  return term.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}
