import type { Message } from './chat-tree.ts'

/** What a model is told of a chat. */

export interface Turn {
  readonly role: 'user' | 'assistant'
  readonly text: string
}

type Said = Pick<Message, 'role' | 'text'> & Partial<Pick<Message, 'outcome'>>

/** What stands for somebody's turn where nobody said anything. */
const silence = '…'
/** What asks a model to go on with what it said last. */
const goOn = 'Go on exactly where you stopped, without repeating anything.'

/**
 * The messages of a chat as the turns that every endpoint takes: people begin and end, and alternate with the model. Turns
 * that follow each other are one: questions that nobody answered, and a reply that was continued. Replies without words, and
 * errors, are left out; what became of a reply is not a part of its words.
 */
export function turnsOf(messages: readonly Said[]): Turn[] {
  const turns: { role: Turn['role']; text: string; endsEarly: boolean }[] = []
  for (const { role, text, outcome } of messages) {
    if (role === 'error' || text.trim() === '') continue
    const endsEarly = role === 'assistant' && outcome !== undefined && outcome !== 'done'
    const last = turns.at(-1)
    if (last?.role !== role) turns.push({ role, text, endsEarly })
    else {
      // A reply may have stopped in the middle of a word.
      last.text += last.endsEarly ? text : `\n\n${text}`
      last.endsEarly = endsEarly
    }
  }
  const spoken = turns.map(({ role, text }): Turn => ({ role, text }))
  if (spoken[0]?.role !== 'user') spoken.unshift({ role: 'user', text: silence })
  if (spoken.at(-1)?.role === 'assistant') spoken.push({ role: 'user', text: goOn })
  return spoken
}
