import type { Piece } from './ask.ts'

const opening = '<think>'
const closing = '</think>'

/**
 * Tells the thoughts from the answer of a model whose server does not: they come first, between `<think>` and `</think>`,
 * either of which may be split between pieces. Returns a function that takes the next piece of text; null is the end.
 */
export function createThoughtSplitter(): (text: string | null) => Piece[] {
  let state: 'before' | 'thinking' | 'after' | 'answer' = 'before'
  /** What has come and may be part of a tag. */
  let held = ''

  /** Says what is held, but for its last `kept` characters. */
  function say(kind: 'text' | 'thinking', kept = 0): Piece[] {
    const text = held.slice(0, held.length - kept)
    held = held.slice(held.length - kept)
    return text === '' ? [] : [{ kind, text }]
  }

  return (text) => {
    held += text ?? ''
    const pieces: Piece[] = []
    if (state === 'before') {
      const start = held.trimStart()
      const mayOpen = text !== null && opening.startsWith(start)
      if (mayOpen && start !== opening) return []
      state = start.startsWith(opening) ? 'thinking' : 'answer'
      if (state === 'thinking') held = start.slice(opening.length)
    }
    if (state === 'thinking') {
      const end = held.indexOf(closing)
      if (end < 0) return say('thinking', text === null ? 0 : startOfClosing(held))
      pieces.push(...say('thinking', held.length - end))
      held = held.slice(closing.length)
      state = 'after'
    }
    if (state === 'after') {
      // The lines between the thoughts and the answer belong to neither.
      held = held.trimStart()
      if (held === '') return pieces
      state = 'answer'
    }
    return [...pieces, ...say('text')]
  }
}

/** How many characters at the end of a text may begin the closing tag. */
function startOfClosing(text: string): number {
  let length = Math.min(closing.length - 1, text.length)
  while (length > 0 && !closing.startsWith(text.slice(text.length - length))) length--
  return length
}
