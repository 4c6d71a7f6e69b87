import { startOfText } from '@t69/protocol'

/** A streamed chat completion from an endpoint that is compatible with OpenAI's API. */

/** How much of a refusal the chat shows, in UTF-16 code units. */
const maxRefusalLength = 300

export interface CompletionRequest {
  /** Such as `https://api.openai.com/v1`; `/chat/completions` is added. */
  readonly baseUrl: string
  readonly model: string
  /** Undefined for local servers that need none. */
  readonly apiKey: string | undefined
  readonly messages: readonly { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }[]
}

/** Yields the text of the reply piece by piece. Throws an `Error` with the endpoint's own text when it refuses. */
export async function* streamCompletion(
  request: CompletionRequest,
  signal: AbortSignal,
  fetchIt: typeof fetch = fetch,
): AsyncGenerator<string, void, void> {
  const response = await fetchIt(`${request.baseUrl.replace(/\/+$/, '')}/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(request.apiKey ? { authorization: `Bearer ${request.apiKey}` } : {}),
    },
    body: JSON.stringify({ model: request.model, messages: request.messages, stream: true }),
    // Anyone who can edit the space chooses the address, and may choose one of this server's: it gets no cookie.
    credentials: 'omit',
    signal,
  })
  if (!response.ok || response.body === null) throw new Error(await refusal(response))
  for await (const data of eventData(response.body)) {
    if (data === '[DONE]') return
    const piece = textOfChunk(data)
    if (piece !== '') yield piece
  }
}

async function refusal(response: Response): Promise<string> {
  const text = refusalIn(await response.text().catch(() => ''))
  return `The provider answered ${response.status}${text === '' ? '' : `: ${text}`}`
}

/** What a refusal says, in its own words: the `message` of JSON in OpenAI's form or one like it, or a short text. */
function refusalIn(body: string): string {
  const json = parsed(body)
  const error = field(json, 'error') ?? json
  const message = typeof error === 'string' ? error : (field(error, 'message') ?? field(error, 'detail'))
  if (typeof message === 'string') return startOfText(message.trim(), maxRefusalLength)
  // Other JSON and a proxy's page say nothing to a person.
  return json === undefined && !/^\s*</.test(body) ? startOfText(body.trim(), maxRefusalLength) : ''
}

/** The `data` of each server-sent event, however the bytes were split. */
async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      rest += done ? `${decoder.decode()}\n` : decoder.decode(value, { stream: true })
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line.startsWith('data:')) yield line.slice(5).trim()
      if (done) return
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/** `choices[0].delta.content` of a chunk; empty for chunks of other kinds. */
function textOfChunk(data: string): string {
  const chunk = parsed(data)
  const choices = field(chunk, 'choices')
  const content = field(field(Array.isArray(choices) ? choices[0] : undefined, 'delta'), 'content')
  return typeof content === 'string' ? content : ''
}

/** Undefined for what is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}
