import { startOfText } from '@t69/protocol'

/**
 * Text of others as the screen shows it. Any member may write half a megabyte into a message, a title or a name, a wall of
 * empty lines, or letters with a thousand accents: laying all of it out would block the page, or bury the rest of it.
 */

/** The length of a title or a name on screen, in UTF-16 code units: what its field takes. */
const lineLength = 200
/** How much of a message is shown at first, in UTF-16 code units and in lines. */
const startLength = 20_000
const startLines = 1_000
/** The same of a reply that grows, or that the reader saw grow: as much as a model writes at once. */
const grownLength = 300_000
const grownLines = 20_000
/** The marks on one letter that are shown. The scripts that stack most of them, such as Tibetan, stay within it. */
const towers = /(\p{M}{8})\p{M}+/gu

/** A title or a name, in one line. */
export function shownLine(text: string): string {
  const line = text.length > lineLength * 4 ? text.slice(0, lineLength * 4) : text
  const low = line.replace(towers, '$1')
  return low.length > lineLength ? `${startOfText(low, lineLength - 1)}…` : low
}

export interface ShownText {
  readonly text: string
  /** There is more. */
  readonly isCut: boolean
}

/** The start of a message that is longer or higher than a screen can use; all of any other. `grows`: it is seen to grow. */
export function shownStart(text: string, grows = false): ShownText {
  const [length, lines] = grows ? [grownLength, grownLines] : [startLength, startLines]
  const end = endOfLines(text, lines)
  const isCut = end < text.length || text.length > length
  const start = isCut ? startOfText(text.slice(0, Math.min(end, length + 100)), length) : text
  return { text: start.replace(towers, '$1'), isCut }
}

/** Where the first lines of a text end. */
function endOfLines(text: string, lines: number): number {
  let end = -1
  for (let line = 0; line < lines; line++) {
    end = text.indexOf('\n', end + 1)
    if (end < 0) return text.length
  }
  return end
}
