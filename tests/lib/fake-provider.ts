import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/** What a provider was asked for a reply. */
export interface Asked {
  readonly authorization: string
  readonly model: string
  readonly messages: readonly { readonly role: string; readonly content: string }[]
}

/** An endpoint with OpenAI's API that streams what the test gives it, when the test says so. */
export interface FakeProvider {
  readonly baseUrl: string
  /** The `authorization` of each request for a reply. */
  readonly asked: readonly string[]
  /** Each request for a reply. */
  readonly requests: readonly Asked[]
  /** The models in its list. */
  models: readonly string[]
  /** Streams a piece to all requests that wait for a reply, once there is one. */
  stream(piece: string): Promise<void>
  finish(): void
  /** Answers all requests that come from now on with an error, and `body` as its text. */
  refuse(status: number, body: string, headers?: Readonly<Record<string, string>>): void
  /** Answers all requests that come from now on by itself; null streams again what the test gives. */
  answer: ((response: ServerResponse, asked: Asked) => void) | null
  /** Breaks off all replies that are being streamed. */
  breakOff(): void
  [Symbol.dispose](): void
}

/** A chunk of a stream, in OpenAI's form. */
export function chunkOf(delta: object, more: object = {}): string {
  return `data: ${JSON.stringify({ choices: [{ index: 0, delta, ...more }] })}\n\n`
}

export async function startFakeProvider(): Promise<FakeProvider> {
  const requests: Asked[] = []
  const waiting = new Set<ServerResponse>()
  let requested = Promise.withResolvers<void>()

  const server = createServer((request, response) => void serve(request, response))
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-allow-headers', '*')
    response.setHeader('access-control-expose-headers', '*')
    if (request.method === 'OPTIONS') {
      response.end()
      return
    }
    if (request.url?.endsWith('/models') === true) {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ data: provider.models.map((id) => ({ id })) }))
      return
    }
    const asked = askedIn(request, await bodyOf(request))
    requests.push(asked)
    if (provider.answer !== null) {
      provider.answer(response, asked)
      return
    }
    response.setHeader('content-type', 'text/event-stream')
    response.flushHeaders()
    waiting.add(response)
    requested.resolve()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')

  function endAll(end: (response: ServerResponse) => void): void {
    for (const response of waiting) end(response)
    waiting.clear()
    requested = Promise.withResolvers()
  }

  const provider: FakeProvider = {
    baseUrl: `http://127.0.0.1:${address.port}/v1`,
    get asked() {
      return requests.map(({ authorization }) => authorization)
    },
    requests,
    models: ['small', 'large'],
    answer: null,
    async stream(piece) {
      await requested.promise
      for (const response of waiting) response.write(chunkOf({ content: piece }))
    },
    finish: () => endAll((response) => response.end('data: [DONE]\n\n')),
    breakOff: () => endAll((response) => response.destroy()),
    refuse(status, body, headers = {}) {
      provider.answer = (response) => response.writeHead(status, headers).end(body)
    },
    [Symbol.dispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
  return provider
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  request.setEncoding('utf8')
  for await (const text of request) body += String(text)
  return body
}

function askedIn(request: IncomingMessage, body: string): Asked {
  const { model = '', messages = [] }: Partial<Asked> = JSON.parse(body)
  return { authorization: request.headers.authorization ?? '', model, messages }
}
