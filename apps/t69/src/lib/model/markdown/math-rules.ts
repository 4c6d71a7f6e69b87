import type { MarkdownIt } from 'markdown-it'

import type { BlockRule, InlineRule } from './markdown-rules.ts'

/**
 * TeX in Markdown: `\(…\)` and `$…$` in a line, `\[…\]` and `$$…$$` in a line or as a block of its own. A dollar is more
 * often a price than a formula, so what stands around and between two of them decides. Each search ends after a fixed
 * distance: a text full of openings takes time in proportion to its length.
 */

/** How far a formula may extend, in UTF-16 code units, and in lines as a block. */
const longestFormula = 2_000
const mostLines = 60

const delimiters = [
  { open: '$$', close: '$$', isDisplayed: true },
  { open: '\\[', close: '\\]', isDisplayed: true },
  { open: '\\(', close: '\\)', isDisplayed: false },
  { open: '$', close: '$', isDisplayed: false },
] as const

export function addMathRules(md: MarkdownIt): void {
  md.inline.ruler.before('escape', 'math', readInline)
  md.block.ruler.before('fence', 'math', readBlock, { alt: ['paragraph', 'blockquote', 'list'] })
}

const readInline: InlineRule = (state, silent) => {
  const { src, pos, posMax } = state
  const found = delimiters.find(({ open }) => src.startsWith(open, pos))
  if (found === undefined) return false
  const { open, close, isDisplayed } = found
  const from = pos + open.length
  const end = closingAt(src, close, from, Math.min(posMax, from + longestFormula))
  if (end === undefined || src.slice(from, end).trim() === '') return false
  if (open === '$' && !isFormula(src, pos, end)) return false
  if (!silent) {
    const token = state.push('math', '', 0)
    token.content = src.slice(from, end).trim()
    token.markup = isDisplayed ? '$$' : '$'
  }
  state.pos = end + close.length
  return true
}

/** Where a formula closes: not at a delimiter that is escaped by a backslash. */
function closingAt(src: string, close: string, from: number, to: number): number | undefined {
  for (let at = from; at + close.length <= to; at++) {
    if (src.startsWith(close, at)) return at
    if (src[at] === '\\') at++
  }
  return undefined
}

/** Whether two dollars enclose a formula, and are not two prices or two variables of a shell. */
function isFormula(src: string, open: number, close: number): boolean {
  const tex = src.slice(open + 1, close)
  if (/^\s|\s$/.test(tex)) return false
  if (/[\p{L}\p{N}\\$]$/u.test(src.slice(Math.max(0, open - 2), open))) return false
  if (/^[\p{L}\p{N}$]/u.test(src.slice(close + 1, close + 3))) return false
  // "$5 (or 5$)": a number and words, and nothing of TeX.
  return !/^[\d.,]+[\s–-]/.test(tex) || /[\\^_=+*/<>{}]/.test(tex)
}

/** A block between `$$` or `\[` at the start of a line and its closing at the end of one. */
const readBlock: BlockRule = (state, startLine, endLine, silent) => {
  const { src, bMarks, tShift, eMarks, sCount, blkIndent } = state
  const start = (bMarks[startLine] ?? 0) + (tShift[startLine] ?? 0)
  const found = delimiters.find(({ open, isDisplayed }) => isDisplayed && src.startsWith(open, start))
  if (found === undefined) return false
  const lines: string[] = []
  for (let line = startLine; line < Math.min(endLine, startLine + mostLines); line++) {
    if (line > startLine && (sCount[line] ?? 0) < blkIndent) return false
    const from = (bMarks[line] ?? 0) + (tShift[line] ?? 0) + (line === startLine ? found.open.length : 0)
    const text = src.slice(from, eMarks[line]).trimEnd()
    if (!text.endsWith(found.close)) {
      // The closing stands within a line: the formula is part of a paragraph.
      if (text.includes(found.close)) return false
      lines.push(text)
      continue
    }
    const last = text.slice(0, -found.close.length)
    if (last.includes(found.close)) return false
    lines.push(last)
    const tex = lines.join('\n').trim()
    if (tex === '') return false
    if (silent) return true
    const token = state.push('math_block', '', 0)
    token.content = tex
    token.map = [startLine, line + 1]
    state.line = line + 1
    return true
  }
  return false
}
