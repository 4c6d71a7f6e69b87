/** A streamed chat completion from an endpoint that is compatible with OpenAI's API. */

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
  const text = (await response.text().catch(() => '')).slice(0, 300)
  return `The provider answered ${response.status}${text === '' ? '' : `: ${text}`}`
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
  let chunk: unknown
  try {
    chunk = JSON.parse(data)
  } catch {
    return ''
  }
  const choices = field(chunk, 'choices')
  const content = field(field(Array.isArray(choices) ? choices[0] : undefined, 'delta'), 'content')
  return typeof content === 'string' ? content : ''
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}
