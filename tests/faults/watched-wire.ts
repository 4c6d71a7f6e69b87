import { decodeBatch, limits } from '@t69/protocol'

import { createNetworkLink, type NetworkLink } from '../lib/network-link.ts'
import { createWebSocketReader, type WebSocketMessage } from '../lib/web-socket-reader.ts'

/** A network link that records the number of bytes and the sizes of messages. */
export interface WatchedWire extends AsyncDisposable {
  readonly link: NetworkLink
  readonly largestMessage: { readonly fromDevice: number; readonly fromServer: number }
  /** Messages above `maxMessageBytes`, and batches above the budget that hold more than one operation. */
  readonly tooLarge: readonly string[]
  /** The bytes of each join request with its answer, counting only the payload of the WebSocket frames. */
  readonly joins: readonly { readonly request: number; readonly reply: number }[]
  /** The bytes that passed in both directions. */
  readonly bytes: number
  /** Resolves once the given number of further bytes has passed. */
  passed(bytes: number): Promise<void>
}

export async function watchWire(serverUrl: string, delayMs = 0): Promise<WatchedWire> {
  const largest = { fromDevice: 0, fromServer: 0 }
  const tooLarge: string[] = []
  const joins: { request: number; reply: number }[] = []
  let bytes = 0
  let awaited: { at: number; resolve: () => void } | undefined

  function count(chunk: Buffer): void {
    bytes += chunk.length
    if (awaited === undefined || bytes < awaited.at) return
    awaited.resolve()
    awaited = undefined
  }

  function check(from: keyof typeof largest, { isBinary, payload }: WebSocketMessage): void {
    largest[from] = Math.max(largest[from], payload.length)
    if (payload.length > limits.maxMessageBytes) tooLarge.push(`${from}: ${payload.length} bytes`)
    if (!isBinary || payload.length <= limits.batchBudgetBytes) return
    const { length } = decodeBatch(payload).ops
    if (length > 1) tooLarge.push(`${from}: ${length} operations in ${payload.length} bytes`)
  }

  const link = await createNetworkLink(serverUrl, {
    delayMs,
    tap() {
      const asked = new Map<string, number>()
      const fromDevice = createWebSocketReader((message) => {
        check('fromDevice', message)
        const [, id] = message.isBinary ? [] : (/^42(\d+)\["space:join"/.exec(String(message.payload)) ?? [])
        if (id !== undefined) asked.set(id, message.payload.length)
      })
      const fromServer = createWebSocketReader((message) => {
        check('fromServer', message)
        const [, id = ''] = message.isBinary ? [] : (/^43(\d+)\[/.exec(String(message.payload)) ?? [])
        const request = asked.get(id)
        if (request === undefined) return
        asked.delete(id)
        joins.push({ request, reply: message.payload.length })
      })
      return {
        fromDevice(chunk) {
          count(chunk)
          fromDevice(chunk)
        },
        fromServer(chunk) {
          count(chunk)
          fromServer(chunk)
        },
      }
    },
  })
  return {
    link,
    largestMessage: largest,
    tooLarge,
    joins,
    get bytes() {
      return bytes
    },
    passed: (more) => new Promise((resolve) => (awaited = { at: bytes + more, resolve })),
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  }
}
