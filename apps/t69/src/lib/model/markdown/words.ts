import type { Block, Inline, Row } from './blocks.ts'

/** What is said of a block, or of the inside of one, to those who listen: its words, without marks. */
export function wordsOf(block: Block): string {
  switch (block.kind) {
    case 'paragraph':
    case 'heading':
    case 'plain':
      return inlineWords(block.children)
    case 'quote':
      return block.blocks.map(wordsOf).join(' ')
    case 'list':
      return block.items.map(({ blocks }) => blocks.map(wordsOf).join(' ')).join('\n')
    case 'code':
      return block.language === '' ? 'Code.' : `Code in ${block.language}.`
    case 'table':
      return [block.head, ...block.rows].map(rowWords).join('\n')
    case 'math':
      return block.tex
    case 'rule':
      return ''
  }
}

function rowWords(row: Row): string {
  return row.map(inlineWords).join(', ')
}

function inlineWords(children: readonly Inline[]): string {
  return children.map(wordsIn).join('')
}

function wordsIn(child: Inline): string {
  switch (child.kind) {
    case 'text':
    case 'code':
      return child.text
    case 'strong':
    case 'em':
    case 'del':
    case 'link':
      return inlineWords(child.children)
    case 'image':
      return child.alt === '' ? 'Image' : `Image: ${child.alt}`
    case 'math':
      return child.tex
    case 'break':
      return '\n'
  }
}
