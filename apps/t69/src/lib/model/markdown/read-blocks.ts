import type { Token } from 'markdown-it'

import type { Alignment, Block, Inline, ListItem, Row } from './blocks.ts'
import { maxNesting, type References } from './parser.ts'
import { readInline } from './read-inline.ts'

/** The cells of a table that is shown as one. */
const mostCells = 4_000

/** A block of the text itself, not of a quote or a list in it. */
export interface TopTokens {
  /** Its lines: from the first, to before the second. */
  readonly lines: readonly [number, number]
  readonly tokens: readonly Token[]
}

/** Tells the blocks of a text apart. */
export function topBlocksOf(tokens: readonly Token[]): TopTokens[] {
  const blocks: TopTokens[] = []
  let from = 0
  for (const [index, { level, nesting }] of tokens.entries()) {
    if (level > 0 || nesting > 0) continue
    const lines = tokens[from]?.map
    if (lines) blocks.push({ lines, tokens: tokens.slice(from, index + 1) })
    from = index + 1
  }
  return blocks
}

/** Reads one block. Undefined for one that is too deep or too wide, and is better shown as it was typed. */
export function readBlock({ tokens }: TopTokens, references: References): Block | undefined {
  // At this level the parser stops, and drops what is inside.
  if (tokens.some(({ level, nesting }) => nesting > 0 && level >= maxNesting - 1)) return undefined
  if (tokens.filter(({ type }) => type === 'td_open').length > mostCells) return undefined
  return new BlockReader(tokens, references).blocks()[0]
}

/** Walks over tokens, in which an opening one is followed by what it holds and a closing one. */
class BlockReader {
  #at = 0
  readonly #tokens: readonly Token[]
  readonly #references: References

  constructor(tokens: readonly Token[], references: References) {
    this.#tokens = tokens
    this.#references = references
  }

  /** The blocks up to the token that closes what they are in. */
  blocks(): Block[] {
    const blocks: Block[] = []
    for (let token = this.#next(); token !== undefined && token.nesting >= 0; token = this.#next()) {
      const block = this.#block(token)
      if (block !== undefined) blocks.push(block)
    }
    return blocks
  }

  #next(): Token | undefined {
    return this.#tokens[this.#at++]
  }

  #block(token: Token): Block | undefined {
    switch (token.type) {
      case 'paragraph_open':
        return { kind: 'paragraph', children: this.#inline() }
      case 'heading_open':
        return { kind: 'heading', level: Number(token.tag.slice(1)), children: this.#inline() }
      case 'blockquote_open':
        return { kind: 'quote', blocks: this.blocks() }
      case 'bullet_list_open':
      case 'ordered_list_open':
        return this.#list(token)
      case 'table_open':
        return this.#table()
      case 'fence':
        return codeOf(token)
      case 'code_block':
        return { kind: 'code', language: '', text: withoutLastBreak(token.content), isOpen: false }
      case 'math_block':
        return { kind: 'math', tex: token.content }
      case 'hr':
        return { kind: 'rule' }
      default:
        return undefined
    }
  }

  /** The inside of a block that holds no others, and its closing token. */
  #inline(): readonly Inline[] {
    const children = readInline(this.#next()?.content ?? '', this.#references)
    this.#next()
    return children
  }

  #list(open: Token): Block {
    const items: ListItem[] = []
    for (let token = this.#next(); token?.type === 'list_item_open'; token = this.#next())
      items.push(taskOf(this.blocks()))
    const isOrdered = open.type === 'ordered_list_open'
    return { kind: 'list', isOrdered, start: Number(open.attrGet('start') ?? 1), items }
  }

  #table(): Block {
    const rows: Row[] = []
    const alignments: Alignment[] = []
    let row: (readonly Inline[])[] = []
    for (
      let token = this.#next();
      token !== undefined && token.type !== 'table_close';
      token = this.#next()
    ) {
      if (token.type === 'tr_open') row = []
      if (token.type === 'tr_close') rows.push(row)
      if (token.type === 'th_open') alignments.push(alignmentOf(token))
      if (token.type === 'th_open' || token.type === 'td_open') row.push(this.#inline())
    }
    const [head = [], ...rest] = rows
    return { kind: 'table', alignments, head, rows: rest }
  }
}

function codeOf({ info, content, map, markup }: Token): Block {
  const language = info.trim().split(/[\s,{:]/, 1)[0] ?? ''
  // Without its last line, the fence is still being written.
  const lines = content === '' ? 0 : withoutLastBreak(content).split('\n').length
  const isOpen = markup !== '' && map !== null && map[1] - map[0] < lines + 2
  return { kind: 'code', language, text: withoutLastBreak(content), isOpen }
}

function withoutLastBreak(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text
}

function alignmentOf(cell: Token): Alignment {
  const style = String(cell.attrGet('style') ?? '')
  if (style.includes('center')) return 'center'
  if (style.includes('right')) return 'end'
  return style.includes('left') ? 'start' : undefined
}

/** An item that begins with `[ ]` or `[x]` is a task. */
function taskOf(blocks: readonly Block[]): ListItem {
  const [first, ...rest] = blocks
  if (first?.kind !== 'paragraph') return { isDone: undefined, blocks }
  const [start, ...others] = first.children
  const box = start?.kind === 'text' ? /^\[([ xX])\](?:\s+|$)/.exec(start.text) : null
  if (start?.kind !== 'text' || box === null) return { isDone: undefined, blocks }
  const text = start.text.slice(box[0].length)
  const children: Inline[] = text === '' ? others : [{ kind: 'text', text }, ...others]
  return { isDone: box[1] !== ' ', blocks: [{ kind: 'paragraph', children }, ...rest] }
}
