import fc from 'fast-check'
import { expect, test } from 'vitest'

import type { Block, Inline } from './blocks.ts'
import { readMarkdown, type Reading } from './read-markdown.ts'

const fence = '```'
const final = { isFinal: true, isTyped: false }
const growing = { isFinal: false, isTyped: false }

function blocksOf(text: string, isTyped = false): Block[] {
  return readMarkdown(text, { isFinal: true, isTyped }).blocks.map(({ block }) => block)
}

/** The inside of the only paragraph. */
function inlineOf(text: string): readonly Inline[] {
  const [block] = blocksOf(text)
  if (block?.kind !== 'paragraph') throw new Error(`not a paragraph: ${block?.kind}`)
  return block.children
}

const text = (text: string): Inline => ({ kind: 'text', text })

test('headings, emphasis, lists, tasks, quotes, code and rules are read', () => {
  const written = [
    '## A *title*',
    'Some **bold**, ~~old~~ and `code`\nin two lines',
    '3. three\n4. four\n   - inner',
    '- [x] done\n- [ ] to do',
    '> quoted\n>\n> > twice',
    `${fence}ts {1}\nconst x = 1\n\n${fence}`,
    '---',
  ]
  expect(blocksOf(written.join('\n\n'))).toEqual([
    { kind: 'heading', level: 2, children: [text('A '), { kind: 'em', children: [text('title')] }] },
    {
      kind: 'paragraph',
      children: [
        text('Some '),
        { kind: 'strong', children: [text('bold')] },
        text(', '),
        { kind: 'del', children: [text('old')] },
        text(' and '),
        { kind: 'code', text: 'code' },
        { kind: 'break' },
        text('in two lines'),
      ],
    },
    {
      kind: 'list',
      isOrdered: true,
      start: 3,
      items: [
        { isDone: undefined, blocks: [{ kind: 'paragraph', children: [text('three')] }] },
        {
          isDone: undefined,
          blocks: [
            { kind: 'paragraph', children: [text('four')] },
            {
              kind: 'list',
              isOrdered: false,
              start: 1,
              items: [{ isDone: undefined, blocks: [{ kind: 'paragraph', children: [text('inner')] }] }],
            },
          ],
        },
      ],
    },
    {
      kind: 'list',
      isOrdered: false,
      start: 1,
      items: [
        { isDone: true, blocks: [{ kind: 'paragraph', children: [text('done')] }] },
        { isDone: false, blocks: [{ kind: 'paragraph', children: [text('to do')] }] },
      ],
    },
    {
      kind: 'quote',
      blocks: [
        { kind: 'paragraph', children: [text('quoted')] },
        { kind: 'quote', blocks: [{ kind: 'paragraph', children: [text('twice')] }] },
      ],
    },
    { kind: 'code', language: 'ts', text: 'const x = 1\n', isOpen: false },
    { kind: 'rule' },
  ])
})

test('a table has a head, rows and the alignment of its columns', () => {
  expect(blocksOf('| a | b | c |\n| --- | ---: | :-: |\n| 1 | 2 | 3 |\n| 4 |')).toEqual([
    {
      kind: 'table',
      alignments: [undefined, 'end', 'center'],
      head: [[text('a')], [text('b')], [text('c')]],
      rows: [
        [[text('1')], [text('2')], [text('3')]],
        [[text('4')], [], []],
      ],
    },
  ])
})

test('a fence is open until its last line has come', () => {
  for (const start of [fence, `${fence}js`, `${fence}js\n`, `${fence}js\na`, `${fence}js\na\n\n`])
    expect(blocksOf(start)).toMatchObject([{ kind: 'code', isOpen: true }])
  for (const whole of [`${fence}js\n${fence}`, `${fence}js\na\n${fence}\n`, `${fence}js\n\n${fence}`])
    expect(blocksOf(whole)).toMatchObject([{ kind: 'code', isOpen: false }])
})

test('links lead to web pages and mail addresses, and to nothing else', () => {
  const addresses = ['https://example.org/', 'http://example.org/', 'mailto:anna@example.org']
  for (const href of addresses) {
    expect(inlineOf(`[a](${href})`)).toEqual([{ kind: 'link', href, children: [text('a')] }])
    expect(inlineOf(`<${href}>`)).toMatchObject([{ kind: 'link', href }])
  }
  expect(inlineOf('see https://example.org/a_b_c.')).toEqual([
    text('see '),
    { kind: 'link', href: 'https://example.org/a_b_c', children: [text('https://example.org/a_b_c')] },
    text('.'),
  ])
  const elsewhere = [
    'javascript:alert(1)',
    'JaVaScript:alert(1)',
    'java\tscript:alert(1)',
    'data:text/html,x',
  ]
  const local = [
    '/invite/x',
    '#here',
    'file:///etc/passwd',
    'vbscript:x',
    'blob:x',
    '//example.org',
    'ftp://a',
  ]
  for (const href of [...elsewhere, ...local]) {
    const written = [
      `[a](${href})`,
      `[a](<${href}>)`,
      `<${href}>`,
      `![a](${href})`,
      href,
      `[a]\n\n[a]: ${href}`,
    ]
    for (const one of written) {
      const found = JSON.stringify(blocksOf(one))
      expect(found, one).not.toContain('"link"')
      expect(found, one).not.toContain('"image"')
    }
  }
})

test('HTML is text', () => {
  const html = '<img src=x onerror="run()"><script>run()</script>'
  expect(inlineOf(html)).toEqual([text(html)])
  expect(inlineOf(`<div>\n${html}`)).toEqual([text('<div>'), { kind: 'break' }, text(html)])
})

test('formulas are read in each of their forms', () => {
  const math = (tex: string, isDisplayed = false): Inline => ({ kind: 'math', tex, isDisplayed })
  expect(inlineOf('$x^2$, \\(a_b\\), $$y$$ and \\[z\\].')).toEqual([
    math('x^2'),
    text(', '),
    math('a_b'),
    text(', '),
    math('y', true),
    text(' and '),
    math('z', true),
    text('.'),
  ])
  for (const block of ['$$\nx\n$$', '$$x$$', '\\[\nx\n\\]', '\\[ x \\]'])
    expect(blocksOf(block)).toEqual([{ kind: 'math', tex: 'x' }])
  expect(blocksOf('- a\n\n  $$\n  x\n  $$')).toMatchObject([
    { kind: 'list', items: [{ blocks: [{ kind: 'paragraph' }, { kind: 'math', tex: 'x' }] }] },
  ])
})

test.each([
  'It costs $5, or $10 for two.',
  'Between $5-$10.',
  'US$5 and CA$7',
  '$5 (or 5$)',
  '$HOME/bin:$PATH',
  'Pay $ 5 or $ 6',
  'a $ b',
  '$$',
  'from $1,000 to $2,000 in 2 years',
])('a dollar that is no formula is text: %s', (written) => {
  expect(inlineOf(written)).toEqual([text(written)])
})

test('an opening without an end takes nothing with it', () => {
  expect(blocksOf('$$\nx\n\n# Title')).toMatchObject([{ kind: 'paragraph' }, { kind: 'heading' }])
  expect(blocksOf('\\[\nx\n\n# Title')).toMatchObject([{ kind: 'paragraph' }, { kind: 'heading' }])
})

test('what a person types is shown as it was typed, but for code between fences and addresses', () => {
  const typed = `# not *a* title\n   - as it was\n\n\nhttps://example.org/ $x$\n${fence}js\ncode\n${fence}\n\n  and more`
  expect(blocksOf(typed, true)).toEqual([
    {
      kind: 'plain',
      children: [
        text('# not *a* title\n   - as it was\n\n\n'),
        { kind: 'link', href: 'https://example.org/', children: [text('https://example.org/')] },
        text(' $x$'),
      ],
    },
    { kind: 'code', language: 'js', text: 'code', isOpen: false },
    { kind: 'plain', children: [text('  and more')] },
  ])
})

/** Markdown, and what looks like it. */
const pieces = [
  '\n',
  '\n\n',
  ' ',
  '  ',
  '    ',
  '	',
  '\r\n',
  'word',
  'x',
  '1',
  '.',
  '1. ',
  '2) ',
  '- ',
  '* ',
  '+ ',
  '> ',
  '# ',
  '=',
  '===',
  '---',
  '***',
  '**',
  '*',
  '_',
  '__',
  '~~',
  '`',
  '``',
  fence,
  `${fence}js\n`,
  '~~~',
  '$',
  '$$',
  '\\(',
  '\\)',
  '\\[',
  '\\]',
  '|',
  '| a | b |\n',
  '| - | - |\n',
  '[',
  ']',
  '](',
  '(',
  ')',
  '![',
  '[a]',
  '[a]: https://example.org/\n',
  '[x] ',
  '<b>',
  '&amp;',
  'https://example.org/',
  '\\',
  '😀',
  'שלום',
]
const markdown = fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join(''))

test('a text that grows, by whatever pieces, reads in the end as it does at once', () => {
  fc.assert(
    fc.property(
      markdown,
      fc.array(fc.nat(40), { maxLength: 30 }),
      fc.boolean(),
      (written, steps, isTyped) => {
        let reading: Reading | undefined
        let length = 0
        for (const step of steps) {
          length += step
          reading = readMarkdown(written.slice(0, length), { isFinal: false, isTyped }, reading)
        }
        const whole = readMarkdown(written, { isFinal: true, isTyped })
        const grown = readMarkdown(written, { isFinal: true, isTyped }, reading)
        expect(grown.blocks).toEqual(whole.blocks)
      },
    ),
    { numRuns: 1_000 },
  )
})

test('nothing that was written is left out', () => {
  fc.assert(
    fc.property(markdown, (written) => {
      const words = (from: string): number => from.split(/word|😀|שלום/).length
      // A definition, the language of a fence and cells beyond the last column are not shown, and a link is said twice.
      fc.pre(!/\]:|```|~~~|\||https/.test(written))
      expect(words(JSON.stringify(blocksOf(written)))).toBe(words(written))
    }),
    { numRuns: 500 },
  )
})

test('finished blocks stay the same objects while a text grows', () => {
  const paragraphs = Array.from({ length: 200 }, (_, index) => `Paragraph **${index}**, with some words.`)
  const written = paragraphs.join('\n\n')
  let reading = readMarkdown('', growing)
  let made = 0
  for (let length = 0; length < written.length; length += 7) {
    const next = readMarkdown(written.slice(0, length), growing, reading)
    const before = new Set(reading.blocks)
    for (const [index, block] of next.blocks.entries()) {
      if (before.has(block)) continue
      made++
      expect(index).toBeGreaterThanOrEqual(next.blocks.length - 2)
    }
    reading = next
  }
  expect(made).toBeLessThan(written.length / 3)
  expect(readMarkdown(written, final, reading).blocks.slice(0, -2)).toEqual(reading.blocks.slice(0, -2))
})

test('a reference that is defined at the end counts for the whole text', () => {
  const written = 'See [a].\n\nMore.\n\nEven more.\n\n[a]: https://example.org/'
  const reading = readMarkdown(written.slice(0, 40), growing)
  const { blocks } = readMarkdown(written, final, readMarkdown(written, growing, reading))
  expect(blocks[0]?.block).toMatchObject({ children: [text('See '), { kind: 'link' }, text('.')] })
})
