import { startOfText } from '@t69/protocol'

import { messageOf, threadOf, type Chosen } from '../model/chat-tree.ts'
import { storedTextOf, type Tree, type Vertex } from '../model/tree.ts'

export interface MarkdownOptions {
  readonly title: string
  /** The versions that the reader has chosen to see. */
  readonly chosen: Chosen
  /** The name that the screen shows before a message. */
  readonly nameOf: (vertex: Vertex) => string
  /** A BCP 47 tag, for dates. */
  readonly locale: string
}

/** The chat as it is on screen, of each message the version that is shown, with authors, times and how replies ended. */
export function markdownOf(tree: Tree, { title, chosen, nameOf, locale }: MarkdownOptions): string {
  const when = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'short' })
  const parts = [`# ${oneLine(title)}`]
  for (const { id } of threadOf(tree, undefined, chosen)) {
    const vertex = tree.getVertex(id)
    if (vertex === undefined) continue
    const { text, createdAt } = messageOf(vertex, false)
    parts.push(`## ${oneLine(nameOf(vertex))} · ${when.format(createdAt)}`)
    const thinking = storedTextOf(vertex, 'thinking') ?? ''
    if (thinking !== '') parts.push(`<details><summary>Thoughts</summary>\n\n${thinking}\n\n</details>`)
    if (text !== '') parts.push(text)
    const ending = endingText(vertex)
    if (ending !== '') parts.push(`*${ending}*`)
  }
  return `${parts.join('\n\n')}\n`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}

/** How a reply ended; empty if it is whole. See model/chat-tree.ts for the names. */
function endingText(vertex: Vertex): string {
  switch (storedTextOf(vertex, 'outcome')) {
    case 'stopped':
      return 'Stopped here.'
    case 'cut':
      return 'Cut off here.'
    case 'lost':
      return 'The end of this reply was lost.'
    case 'refused': {
      const refusal = oneLine(storedTextOf(vertex, 'refusal') ?? '')
      return refusal === '' ? 'The provider refused to answer.' : `The provider refused to answer: ${refusal}`
    }
    default:
      return ''
  }
}

/** A name for a file that every system takes. */
export function fileNameOf(title: string, ending: string): string {
  // A member can write a title of half a megabyte. The pattern for the end begins anew at each dot.
  const name = startOfText(title, 1_000)
    .replaceAll(/[\\/:*?"<>|\p{Cc}\p{Cf}]+/gu, ' ')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/^[.\s]+|[.\s]+$/g, '')
  return `${Array.from(name).slice(0, 80).join('').trim() || 't69'}.${ending}`
}
