import { createContext } from 'svelte'

import type { Message } from '../../model/chat-tree.ts'
import type { Speech } from '../../model/markdown/speech.ts'
import { outcomeText } from '../../model/outcome-text.ts'
import { shownStart } from '../../model/shown-text.ts'
import { saidIn } from '../../model/thoughts.ts'
import { lazyMarkdown } from './message/lazy-markdown.svelte.ts'

/** How many of the last sentences stay where screen readers look for them. */
const kept = 6

/** Says to screen readers what is new at the end of a chat: replies sentence by sentence, as they grow, and what became of them. */
export interface Speaker {
  readonly sentences: readonly { readonly key: number; readonly text: string }[]
  /** A message on screen is new, or says more. */
  hear(id: string, message: Message, author: string, isMine: boolean): void
}

/** `lastId`: the message at the end of the chat. Only it is said, and nothing that was there from the start. */
export function createSpeaker(lastId: () => string | undefined): Speaker {
  let sentences = $state.raw<Speaker['sentences']>([])
  let key = 0
  const language = document.documentElement.lang
  let speaking:
    | { readonly id: string; readonly isNew: boolean; speech?: Speech; isOver?: boolean }
    | undefined

  /** What a reply that has ended says beside its text; empty for one that is whole. */
  function endOf(message: Message): string[] {
    const told = outcomeText(message, false, language)
    return told === null ? [] : [told.quote === null ? told.text : `${told.text} ${told.quote}`]
  }

  function say(texts: readonly string[]): void {
    if (texts.length === 0) return
    sentences = [...sentences, ...texts.map((text) => ({ key: key++, text }))].slice(-kept)
  }

  return {
    get sentences() {
      return sentences
    },
    hear(id, message, author, isMine) {
      if (id !== lastId()) return
      if (speaking?.id !== id) speaking = { id, isNew: message.inProgress || speaking !== undefined }
      const { createSpeech } = lazyMarkdown
      if (!speaking.isNew || createSpeech === undefined) return
      if (isMine && message.role === 'user') return
      if (speaking.speech === undefined) say([`${author}:`])
      speaking.speech ??= createSpeech(language)
      const { answer } = message.role === 'assistant' ? saidIn(message) : { answer: message.text }
      say(speaking.speech(shownStart(answer, message.inProgress).text, !message.inProgress))
      if (message.inProgress || speaking.isOver === true) return
      speaking.isOver = true
      say(endOf(message))
    },
  }
}

export const [useSpeaker, provideSpeaker] = createContext<Speaker>()
