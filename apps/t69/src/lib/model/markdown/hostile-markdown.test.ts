import { expect, test } from 'vitest'

import type { Block, Inline } from './blocks.ts'
import { readMarkdown } from './read-markdown.ts'

/** As much as the screen shows of a message at first. */
const length = 20_000

const of = (piece: string, much = length): string => piece.repeat(Math.ceil(much / piece.length))
const steps = (line: (step: number) => string): string =>
  Array.from({ length: 200 }, (_, step) => line(step)).join('\n')

/** Texts that some readers of Markdown take the square of their length for, or a call for each character. */
const hostile: Record<string, string> = {
  'quotes in quotes': of('>'),
  'quotes in quotes, apart': of('> '),
  'quotes and lists': of('> - '),
  'lists in lists': of('- '),
  'numbers in numbers': of('1. '),
  'deeper and deeper lists': steps((step) => `${' '.repeat(step * 2)}- a`),
  'deeper and deeper quotes': steps((step) => `${'>'.repeat(step)} a`),
  brackets: of('['),
  'brackets around brackets': of('[', length / 2) + of(']', length / 2),
  'links in links': `${of('[', length / 2)}a${of('](b)', length / 2)}`,
  'openings of links': of('[a](<b'),
  'openings of images': of('!['),
  'images in images': of('![a]('),
  stars: of('*'),
  'stars that open': of('*a '),
  'stars that close': `${of('a* ')}*b`,
  'stars and underscores': of('*a_ '),
  'openings of both kinds': of('_a*'),
  'strong in strong': `${of('*', length / 2)}a${of('*', length / 2)}`,
  'deleted in deleted': of('~~a'),
  backticks: steps((step) => `e${'`'.repeat(step)}`),
  dollars: of('$'),
  'dollars that open': of('$a '),
  'openings of formulas': of('\\('),
  'blocks of formulas': of('\\[\n'),
  backslashes: of('\\'),
  'a wide table': `${of('|a', 2_000)}\n${of('|-', 2_000)}\n${of('|a\n', 16_000)}`,
  'a long table': `|a|\n|-|\n${of('|a\n')}`,
  'rows without a table': of('|a'),
  references: of('[a]: https://b.c/\n'),
  'uses of references': `[a]: https://b.c/\n\n${of('[a]')}`,
  addresses: of('http://a.'),
  'addresses with brackets': `http://a/${of('(')}`,
  'mail addresses': of('mailto:a@'),
  tags: of('<a '),
  comments: of('<!--'),
  entities: of('&#x41;'),
  'empty lines': of('\n'),
  spaces: `a${of(' ')}b`,
  lines: of('a\n'),
  underlines: `${of('a\n')}=`,
  fences: of('```\n'),
  'fences in lists': of('- ```\n'),
  letters: of('W'),
}

test.each(Object.entries(hostile))(
  'hostile text is read in bounded time, to a bounded size: %s',
  (_, text) => {
    // So often that a reader that takes the square of the length does not get there.
    for (let round = 0; round < 3; round++) {
      const { blocks } = readMarkdown(text, { isFinal: true, isTyped: false })
      const shown = blocks.map(({ block }) => block)
      expect(sizeOf(shown)).toBeLessThanOrEqual(2 * text.length)
      expect(depthOf(shown)).toBeLessThanOrEqual(60)
    }
  },
)

function insideOf(node: Block | Inline): readonly (Block | Inline)[] {
  if ('children' in node) return node.children
  if ('blocks' in node) return node.blocks
  if ('items' in node) return node.items.flatMap(({ blocks }) => blocks)
  return 'rows' in node ? [node.head, ...node.rows].flat(2) : []
}

function sizeOf(nodes: readonly (Block | Inline)[]): number {
  let size = 0
  for (const waiting = [...nodes]; waiting.length > 0; size++) {
    const node = waiting.pop()
    if (node) for (const inside of insideOf(node)) waiting.push(inside)
  }
  return size
}

function depthOf(nodes: readonly (Block | Inline)[]): number {
  let depth = 0
  for (let level = nodes; level.length > 0; level = level.flatMap(insideOf)) depth++
  return depth
}
