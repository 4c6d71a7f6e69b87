import type { Mentionable } from './mentions.ts'
import { edit, unwatched, type Tree, type Visit } from './tree.ts'

/** When the AI answers in a chat: every message that is not to somebody else, or only those that mention it. */
export type Answers = 'always' | 'mentioned'

export function answersIn(chat: Tree, visit: Visit = unwatched): Answers {
  const { root } = chat
  if (root === undefined) return 'always'
  visit(root.id)
  return root.getProperty('answers') === 'mentioned' ? 'mentioned' : 'always'
}

/** Decides for everybody in the chat. */
export function setAnswers(chat: Tree, answers: Answers): void {
  edit(chat, () => chat.root?.setProperty('answers', answers))
}

/** Whether the AI is asked by a message that mentions these. One that mentions people only is for them. */
export function isAsked(answers: Answers, mentioned: readonly Mentionable[]): boolean {
  if (mentioned.some(({ kind }) => kind === 'ai')) return true
  return answers === 'always' && mentioned.length === 0
}
