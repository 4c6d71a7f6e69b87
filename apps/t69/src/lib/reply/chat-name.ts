import { startOfText } from '@t69/protocol'

import { titleFrom } from '../model/chat-tree.ts'
import type { Ask } from '../provider-api/ask.ts'

/** How much of a message the model reads to name the chat, in UTF-16 code units. */
const readLength = 2_000
/** How much it may answer before it is interrupted, and how much of that is read. */
const answerLength = 400
/** How long it may take, in ms. */
const patienceMs = 60_000

/** Whether a title is only the cut start of a chat's first message. A short message is a title, and so is what people chose. */
export function isCutFrom(title: string, firstMessage: string): boolean {
  return title === titleFrom(firstMessage) && title !== firstMessage.trim()
}

/** Asks the model that answered for a name of the chat; null when it gives none that is any better. */
export async function nameChat(
  ask: Ask,
  { question, answer }: { readonly question: string; readonly answer: string },
): Promise<string | null> {
  const cut = (text: string): string => startOfText(text, readLength)
  const asked: Ask = {
    ...ask,
    instructions:
      'Name the chat that you are given, in two to five words of its own language. Answer with the name alone.',
    turns: [{ role: 'user', text: `Question:\n${cut(question)}\n\nAnswer:\n${cut(answer)}` }],
  }
  try {
    const { streamAnswer } = await import('../provider-api/completion.ts')
    let text = ''
    for await (const piece of streamAnswer(asked, AbortSignal.timeout(patienceMs))) {
      if (piece.kind === 'text') text += piece.text
      if (text.length > answerLength) break
    }
    return nameIn(text)
  } catch {
    // The chat keeps the title that it has.
    return null
  }
}

/** The name in an answer, without the marks that models put around it. */
export function nameIn(answer: string): string | null {
  // One piece of an answer can be of any length.
  const [line = ''] = answer.trim().slice(0, answerLength).split('\n', 1)
  const name = titleFrom(line.replace(/^[\s#>*_"'`“”„«]+|[\s*_"'`“”».。]+$/g, ''))
  return name === '' ? null : name
}
