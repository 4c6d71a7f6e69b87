import type { Token } from 'markdown-it'

import type { Inline } from './blocks.ts'
import { inlineTokens, linkTokens, type References } from './parser.ts'

/** The length of a paragraph whose inside is read, in UTF-16 code units. Some texts take the square of it. */
const longestRead = 10_000

/** Reads the inside of a paragraph, a heading or a cell. */
export function readInline(text: string, references: References): readonly Inline[] {
  if (text === '') return []
  if (text.length > longestRead) return [{ kind: 'text', text }]
  return childrenOf(inlineTokens(text, references), { at: 0 })
}

/** Reads a text that is shown as it was typed: only addresses of web pages become links. */
export function readTyped(text: string): readonly Inline[] {
  if (!text.includes(':') || text.length > longestRead) return text === '' ? [] : [{ kind: 'text', text }]
  return childrenOf(linkTokens(text), { at: 0 })
}

/** Reads tokens up to the one that closes what they are in. */
function childrenOf(tokens: readonly Token[], place: { at: number }): Inline[] {
  const children: Inline[] = []
  for (let token = tokens[place.at++]; token !== undefined; token = tokens[place.at++]) {
    if (token.nesting < 0) return children
    const child = childOf(token, tokens, place)
    const before = children.at(-1)
    if (child?.kind === 'text' && before?.kind === 'text')
      children[children.length - 1] = { kind: 'text', text: before.text + child.text }
    else if (child !== undefined) children.push(child)
  }
  return children
}

const marks = new Map<string, 'strong' | 'em' | 'del'>([
  ['strong_open', 'strong'],
  ['em_open', 'em'],
  ['s_open', 'del'],
])

function childOf(token: Token, tokens: readonly Token[], place: { at: number }): Inline | undefined {
  const mark = marks.get(token.type)
  if (mark !== undefined) return { kind: mark, children: childrenOf(tokens, place) }
  switch (token.type) {
    case 'link_open':
      return { kind: 'link', href: attributeOf(token, 'href'), children: childrenOf(tokens, place) }
    case 'image':
      return { kind: 'image', src: attributeOf(token, 'src'), alt: token.content }
    case 'code_inline':
      return { kind: 'code', text: token.content }
    case 'math':
      return { kind: 'math', tex: token.content, isDisplayed: token.markup === '$$' }
    case 'hardbreak':
    case 'softbreak':
      return { kind: 'break' }
    default:
      return token.content === '' ? undefined : { kind: 'text', text: token.content }
  }
}

function attributeOf(token: Token, name: string): string {
  return String(token.attrGet(name) ?? '')
}
