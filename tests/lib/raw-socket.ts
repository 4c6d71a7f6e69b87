import {
  type Ack,
  errorBodySchema,
  type NotificationName,
  type NotificationPayload,
  protocolVersion,
  type RequestName,
  type RequestReply,
  SyncError,
} from '@t69/protocol'
import { io, type Socket } from 'socket.io-client'

const deadlineMs = 30_000

/** An event that the server sent. */
export interface Heard {
  readonly name: string
  readonly payload: unknown
}

/** A bare Socket.io socket that sends anything, and records every event. It does not use the project's client. */
export interface RawSocket extends Disposable {
  readonly io: Socket
  /** Every event, in order. */
  readonly heard: Heard[]
  /** The payloads of all events with this name, in order. */
  payloads<N extends NotificationName>(name: N): NotificationPayload<N>[]
  request<N extends RequestName>(name: N, ...payload: unknown[]): Promise<Ack<RequestReply<N>>>
  /** Sends a request. Returns `ok`, or the code of the error. */
  outcomeOf(name: RequestName, ...payload: unknown[]): Promise<string>
  /** Waits for the next event with this name, counted from the last call. Rejects after half a minute. */
  next<N extends NotificationName>(name: N): Promise<NotificationPayload<N>>
  /** Resolves once every event that was sent to this socket before the call has arrived: messages keep their order. */
  fence(): Promise<void>
  /** Resolves with the reason once the connection has ended. */
  readonly ended: Promise<string>
}

const nowhere = { spaceId: 'ffffffffffffffffffffffffffffffff' }

/** Connects. Throws the `SyncError` of a refused handshake. */
export async function connectRaw(url: string, token: string | undefined): Promise<RawSocket> {
  const { socket, admitted } = openRaw(url, token)
  const heard: Heard[] = []
  const awaited = new Map<string, number>()
  const waiting = new Set<() => void>()
  socket.onAny((name: string, payload: unknown) => {
    heard.push({ name, payload })
    for (const check of waiting) check()
  })
  const ended = new Promise<string>((resolve) => socket.once('disconnect', resolve))
  await admitted

  const request: RawSocket['request'] = (name, ...payload) =>
    socket.timeout(deadlineMs).emitWithAck(name, ...payload)

  return {
    io: socket,
    heard,
    ended,
    payloads: (name) => heard.filter((it) => it.name === name).map((it) => it.payload as never),
    request,
    outcomeOf: async (name, ...payload) => {
      const ack: unknown = await request(name, ...payload)
      return outcomeOf(ack)
    },
    fence: async () => void (await request('space:leave', nowhere)),
    next: (name) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(check)
          reject(new Error(`no ${name} came; heard: ${heard.map((it) => it.name).join(', ')}`))
        }, deadlineMs)
        function check(): void {
          const from = awaited.get(name) ?? 0
          const at = heard.findIndex((it, index) => index >= from && it.name === name)
          if (at === -1) return
          awaited.set(name, at + 1)
          clearTimeout(timer)
          waiting.delete(check)
          resolve(heard[at]?.payload as never)
        }
        waiting.add(check)
        check()
      }),
    [Symbol.dispose]: () => void socket.disconnect(),
  }
}

/** Opens a socket, and returns it before the server admits or refuses it. */
function openRaw(
  url: string,
  token: string | undefined,
): { readonly socket: Socket; readonly admitted: Promise<void> } {
  const auth = { protocolVersion, ...(token !== undefined && { token }) }
  const socket = io(url, { auth, reconnection: false, forceNew: true, transports: ['websocket'] })
  const admitted = new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve())
    socket.once('connect_error', (error: Error & { data?: unknown }) => {
      const body = errorBodySchema.safeParse(error.data)
      reject(body.success ? SyncError.from(body.data) : error)
    })
  })
  return { socket, admitted }
}

export function outcomeOf(ack: unknown): string {
  if (typeof ack !== 'object' || ack === null || !('ok' in ack)) return `no ack: ${JSON.stringify(ack)}`
  if (ack.ok === true) return 'ok'
  const body = 'error' in ack ? errorBodySchema.safeParse(ack.error) : undefined
  return body?.success === true ? body.data.code : `no typed error: ${JSON.stringify(ack)}`
}
