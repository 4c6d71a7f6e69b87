import type { Message } from './chat-tree.ts'
import { shownStart } from './shown-text.ts'

type Ended = Pick<
  Message,
  'text' | 'thinking' | 'outcome' | 'why' | 'refusal' | 'status' | 'retryAt' | 'host'
>

/** What became of a reply, in words for people; null where its text says all there is to say. */
export interface OutcomeText {
  readonly text: string
  /** The provider's own words, which follow. */
  readonly quote: string | null
  /** Something went wrong, rather than somebody stopped it. */
  readonly isProblem: boolean
}

/** `language` is that of the page. `isLost`: the reply has no end, and the device that wrote it is gone. */
export function outcomeText(message: Ended, isLost: boolean, language: string): OutcomeText | null {
  const { outcome, refusal } = message
  if (isLost) return { text: lostText(message), quote: null, isProblem: true }
  if (outcome === undefined) return null
  if (outcome === 'done') {
    if (message.text !== '' || message.thinking === '') return null
    return { text: 'The model thought about it, but gave no answer.', quote: null, isProblem: true }
  }
  const quote = outcome === 'refused' && refusal !== undefined ? shownStart(refusal).text : null
  return { text: wordsOf(message, language), quote, isProblem: outcome !== 'stopped' }
}

function lostText({ text }: Ended): string {
  return text === ''
    ? 'The device that was asked for this reply is gone.'
    : 'The device that wrote this reply went away before its end.'
}

function wordsOf(message: Ended, language: string): string {
  const { outcome, why, text } = message
  const hasText = text !== ''
  if (outcome === 'stopped') return hasText ? 'Stopped here.' : 'Stopped before it said anything.'
  if (outcome === 'refused') return refusedText(message, language)
  if (why === 'length')
    return hasText
      ? 'The reply was cut here: it reached the limit of its length.'
      : 'The model reached the limit of its length before it gave an answer.'
  if (why === 'filter')
    return hasText
      ? 'A filter of the provider cut the reply here.'
      : 'A filter of the provider kept the reply back.'
  if (why === 'device') return lostText(message)
  const host = message.host ?? 'the provider'
  if (hasText) return `The connection to ${host} broke off here.`
  return `There is no way to ${host} from this page. It may not be running, or not allow this page to ask it (CORS).`
}

function refusedText({ refusal, status, retryAt, host, text }: Ended, language: string): string {
  const who = host ?? 'The provider'
  // An error of t69 is the text of its message.
  if (refusal === undefined && status === undefined)
    return text === '' ? 'The answer was empty.' : 'No reply.'
  if (retryAt !== undefined) {
    const time = new Intl.DateTimeFormat(language, { timeStyle: 'medium' }).format(retryAt)
    return `${who} takes no more requests until ${time}.`
  }
  if (status === 401 || status === 403) return `${who} does not accept the key.`
  if (refusal === undefined) return `${who} answered with error ${status ?? ''}.`
  // The number is what people look up, and tell each other.
  return status === undefined || status < 400 ? `${who} gave no reply:` : `${who} answered ${status}:`
}
