import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'

/** An endpoint with OpenAI's API that streams what the test gives it, when the test says so. */
export interface FakeProvider {
  readonly baseUrl: string
  /** The `authorization` of each request for a reply. */
  readonly asked: readonly string[]
  /** Streams a piece to all requests that wait for a reply, once there is one. */
  stream(piece: string): Promise<void>
  finish(): void
  /** Answers all requests that come from now on with an error, and `body` as its text. */
  refuse(status: number, body: string): void
  [Symbol.dispose](): void
}

export async function startFakeProvider(): Promise<FakeProvider> {
  const asked: string[] = []
  const waiting = new Set<ServerResponse>()
  let refusal: { readonly status: number; readonly body: string } | undefined
  let requested = Promise.withResolvers<void>()

  const server = createServer((request, response) => {
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-allow-headers', '*')
    if (request.method === 'OPTIONS') {
      response.end()
      return
    }
    asked.push(request.headers.authorization ?? '')
    if (refusal !== undefined) {
      response.statusCode = refusal.status
      response.end(refusal.body)
      return
    }
    response.setHeader('content-type', 'text/event-stream')
    response.flushHeaders()
    waiting.add(response)
    requested.resolve()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')

  return {
    baseUrl: `http://127.0.0.1:${address.port}/v1`,
    asked,
    async stream(piece) {
      await requested.promise
      const chunk = JSON.stringify({ choices: [{ delta: { content: piece } }] })
      for (const response of waiting) response.write(`data: ${chunk}\n\n`)
    },
    finish() {
      for (const response of waiting) response.end('data: [DONE]\n\n')
      waiting.clear()
      requested = Promise.withResolvers()
    },
    refuse(status, body) {
      refusal = { status, body }
    },
    [Symbol.dispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}
