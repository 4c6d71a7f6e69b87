import { createParser, type EventSourceMessage } from 'eventsource-parser'

import type { Protocol } from '../model/known-providers.ts'
import { withoutSlashes } from '../model/provider-address.ts'
import { anthropicApi } from './anthropic-api.ts'
import type { Ask, Piece, ProviderApi } from './ask.ts'
import { googleApi } from './google-api.ts'
import { listAt, parsed } from './json.ts'
import { openAiApi } from './openai-api.ts'
import { isRefusal, Refusal, refusalOf, Unreachable, wordsIn, wordsOfBody } from './refusal.ts'
import { createThoughtSplitter } from './think-tags.ts'

/** Asks a provider, and reads its answer in whatever form it comes. */

const apis: Readonly<Record<Protocol, ProviderApi>> = {
  openai: openAiApi,
  anthropic: anthropicApi,
  google: googleApi,
}

/** How much of an answer that does not stream is read, in UTF-16 code units. */
const maxWhole = 4_000_000

/**
 * Yields the answer piece by piece. Throws a `Refusal` with the provider's own words, or `Unreachable` when there is no way
 * to it or its answer breaks off.
 */
export async function* streamAnswer(
  ask: Ask,
  signal: AbortSignal,
  fetchIt: typeof fetch = fetch,
): AsyncGenerator<Piece, void, void> {
  const api = apis[ask.provider.protocol]
  const split = createThoughtSplitter()
  for await (const piece of piecesIn(await respond(ask, api, signal, fetchIt), api, signal)) {
    if (piece.kind === 'text') yield* split(piece.text)
    else yield piece
  }
  yield* split(null)
}

/** The models that a provider says it has, by id. Throws as `streamAnswer` does. */
export async function listModels(
  { provider, key }: Pick<Ask, 'provider' | 'key'>,
  signal: AbortSignal,
  fetchIt: typeof fetch = fetch,
): Promise<{ readonly baseUrl: string; readonly models: readonly string[] }> {
  const api = apis[provider.protocol]
  const headers = { ...provider.headers, ...(key === undefined ? {} : api.keyHeaders(key)) }
  const { response, baseUrl } = await firstThatKnows(provider, (base) =>
    reach(
      `${base}/models${provider.protocol === 'google' ? '?pageSize=1000' : ''}`,
      { headers, signal },
      fetchIt,
    ),
  )
  if (!response.ok) throw await refusalOf(response)
  const body = await response.text().catch(() => '')
  const list = parsed(body)
  if (typeof list !== 'object' || isRefusal(list)) throw new Refusal(wordsOfBody(body), response.status)
  return { baseUrl, models: [...new Set(api.modelsIn(list))] }
}

async function respond(
  ask: Ask,
  api: ProviderApi,
  signal: AbortSignal,
  fetchIt: typeof fetch,
): Promise<Response> {
  const { provider, key } = ask
  const { response } = await firstThatKnows(provider, (baseUrl) => {
    const { url, headers, body } = api.request(ask, baseUrl)
    const keyHeaders = key === undefined ? {} : api.keyHeaders(key)
    return reach(
      url,
      {
        method: 'POST',
        headers: { ...provider.headers, 'content-type': 'application/json', ...headers, ...keyHeaders },
        body: JSON.stringify(body),
        signal,
      },
      fetchIt,
    )
  })
  if (!response.ok) throw await refusalOf(response)
  return response
}

/** Asks at the address of a provider, and where there is nothing at `/v1` below it. */
async function firstThatKnows(
  { baseUrl, protocol }: Ask['provider'],
  ask: (baseUrl: string) => Promise<Response>,
): Promise<{ readonly response: Response; readonly baseUrl: string }> {
  const base = withoutSlashes(baseUrl)
  const response = await ask(base)
  if (protocol !== 'openai' || ![404, 405].includes(response.status) || /\/v\d/.test(base))
    return { response, baseUrl: base }
  const second = await ask(`${base}/v1`)
  return second.ok ? { response: second, baseUrl: `${base}/v1` } : { response, baseUrl: base }
}

async function reach(url: string, init: RequestInit, fetchIt: typeof fetch): Promise<Response> {
  try {
    // Anyone who can edit the space chooses the address, and may choose one of this server's: it gets no cookie. Nor does
    // the provider learn which space it was. The key is meant for this server alone: on a redirect, browsers
    // would send it to the next server too, unless it is in `Authorization`.
    return await fetchIt(url, {
      ...init,
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      redirect: 'error',
    })
  } catch (error) {
    if (init.signal?.aborted === true) throw error
    throw new Unreachable('The provider cannot be reached', { cause: error })
  }
}

/** What a response says, as a stream of events or whole, whatever type it says it has. */
async function* piecesIn(response: Response, api: ProviderApi, signal: AbortSignal): AsyncGenerator<Piece> {
  const events: EventSourceMessage[] = []
  let streams = false
  const parser = createParser({
    onEvent: (event) => void events.push(event),
    onComment() {
      streams = true
    },
  })
  let whole = ''
  for await (const text of textOf(response, signal)) {
    parser.feed(text)
    if (!streams) whole = (whole + text).slice(0, maxWhole)
    for (const event of events.splice(0)) {
      streams = true
      if (event.data.trim() === '[DONE]') return
      yield* piecesOfEvent(event, api)
    }
    // Nothing that follows would be looked at, and it may never end.
    if (!streams && whole.length === maxWhole) break
  }
  if (!streams) yield* piecesOfWhole(whole, api)
}

/** The text of a body as it comes, and at its end the empty line that its last event may lack. */
async function* textOf({ body }: Response, signal: AbortSignal): AsyncGenerator<string> {
  if (body === null) return
  const reader = body.getReader()
  // Half a character at the end becomes U+FFFD.
  const decoder = new TextDecoder()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      yield decoder.decode(value, { stream: true })
    }
    yield `${decoder.decode()}\n\n`
  } catch (error) {
    if (signal.aborted) throw error
    throw new Unreachable('The answer broke off', { cause: error })
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

function piecesOfEvent({ event, data }: EventSourceMessage, api: ProviderApi): Piece[] {
  const json = parsed(data)
  if (event === 'error' || isRefusal(json)) throw new Refusal(wordsIn(json) || wordsOfBody(data))
  return api.piecesOf(json)
}

function piecesOfWhole(body: string, api: ProviderApi): Piece[] {
  if (body.trim() === '') return []
  const json = parsed(body)
  if (typeof json !== 'object' || isRefusal(json)) throw new Refusal(wordsOfBody(body))
  return (Array.isArray(json) ? listAt(json) : [json]).flatMap((part) => api.piecesOf(part))
}
