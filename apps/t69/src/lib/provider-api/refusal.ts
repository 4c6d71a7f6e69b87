import { startOfText } from '@t69/protocol'

import { at, parsed, textAt } from './json.ts'

/** How much of a refusal is kept, in UTF-16 code units. */
const maxLength = 300

/** A provider that answered, but with no answer to the question. */
export class Refusal extends Error {
  /** The provider's own words; empty when it had none for people. */
  readonly words: string
  readonly status: number | undefined
  /** When it takes requests again, in Unix ms. */
  readonly retryAt: number | undefined

  constructor(words: string, status?: number, retryAt?: number) {
    super(words)
    this.name = 'Refusal'
    this.words = startOfText(words.trim(), maxLength)
    this.status = status
    this.retryAt = retryAt
  }
}

/** A provider that did not answer, or whose answer broke off: there is no way to it, or it lets no page ask. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

/** Whether JSON that came with status 200 says that something is wrong. Null, as in `"error": null`, says nothing. */
export function isRefusal(answer: unknown): boolean {
  if ((at(answer, 'error') ?? at(answer, 0, 'error') ?? null) !== null) return true
  if (['object', 'type'].some((key) => textAt(answer, key) === 'error')) return true
  const isAnswer = ['choices', 'candidates', 'content', 'delta'].some((key) => at(answer, key) !== undefined)
  return !isAnswer && wordsIn(answer) !== ''
}

/** What JSON says to people; empty when it says nothing. Every provider has a form of its own. */
export function wordsIn(answer: unknown): string {
  const error = at(answer, 'error') ?? at(answer, 0, 'error') ?? at(answer, 'errors', 0)
  for (const place of [error, at(answer, 'base_resp'), answer, at(answer, 'detail', 0)]) {
    if (typeof place === 'string') return place
    // OpenRouter tells what the provider behind it said.
    const raw = textAt(place, 'metadata', 'raw')
    for (const key of ['message', 'msg', 'detail', 'error_description', 'status_msg', 'reason'])
      if (textAt(place, key) !== '') return raw === '' ? textAt(place, key) : `${textAt(place, key)}: ${raw}`
  }
  return ''
}

/** What a body says that is no answer: the words in JSON, the title of a page, or a short text. */
export function wordsOfBody(body: string): string {
  const text = body.trim()
  const json = parsed(text)
  if (typeof json === 'object') return wordsIn(json)
  if (!text.startsWith('<')) return text
  // No part of it goes past a "<": from one that is never closed, each search would go to the end of the page.
  const title = /<title[^<>]*>([^<]*)<\/title>/i.exec(text)?.[1]?.trim()
  return title === undefined || title === '' ? startOfText(text, 80) : title
}

/** The refusal in a response that is not one of success. */
export async function refusalOf(response: Response): Promise<Refusal> {
  const body = await response.text().catch(() => '')
  const isPage = body.trimStart().startsWith('<')
  // A proxy's page says less to people than its status.
  const words = isPage ? '' : wordsOfBody(body)
  return new Refusal(words, response.status, retryAt(response))
}

function retryAt(response: Response): number | undefined {
  const after = response.headers.get('retry-after')
  if (after === null) return undefined
  const time = /^\d+(?:\.\d+)?$/.test(after) ? Date.now() + Number(after) * 1_000 : Date.parse(after)
  return Number.isFinite(time) ? Math.ceil(time) : undefined
}
