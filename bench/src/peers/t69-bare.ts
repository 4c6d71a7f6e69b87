import { setTimeout as pause } from 'node:timers/promises'

import {
  decodeBatch,
  encodeBatch,
  type PeerId,
  protocolVersion,
  randomHexId,
  type RequestName,
  type RequestReply,
  type SpaceId,
  type TreeOperation,
  type VertexId,
} from '@t69/protocol'
import { io, type Socket } from 'socket.io-client'

import type { Device, Doc, Peer } from './peer.ts'
import { accountOf, t69 } from './t69.ts'

/**
 * t69's server with a client that only speaks its protocol: it encodes what it writes and decodes what it reads, and checks,
 * stores and shows nothing. What t69's own client costs is the difference.
 */
export const t69Bare: Peer = {
  ...t69,
  name: 't69, bare client',
  packages: ['socket.io-client'],
  isBare: true,
  connect: async (port, person = 'anna'): Promise<Device> => {
    const url = `http://127.0.0.1:${port}`
    const account = accountOf(person)
    const token = await post(`${url}/api/auth/login`, account)
      .catch(() => post(`${url}/api/auth/register`, account))
      .then((session) => String(session['accessToken']))
    const socket = io(url, {
      auth: { token, protocolVersion },
      reconnection: false,
      forceNew: true,
      transports: ['websocket'],
    })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('connect_error', reject)
    })
    return {
      create: async () => {
        const id = randomHexId() as SpaceId
        await post(`${url}/api/spaces`, { id, name: 'Bench', registration: randomHexId() }, token)
        return await docOf(socket, id)
      },
      open: (name) => docOf(socket, name as SpaceId),
      close: async () => void socket.disconnect(),
    }
  },
}

/** Edits of one push: far fewer bytes than a message may have. */
const atOnce = 4_000

async function docOf(socket: Socket, spaceId: SpaceId): Promise<Doc> {
  const texts = new Map<string, string>()
  const listeners: (() => void)[] = []
  const peerId = randomHexId().slice(0, 12) as PeerId
  let clock = 0
  let unsent: TreeOperation[] = []
  let sending: Promise<void> | undefined

  function take(batch: Uint8Array): void {
    for (const { key, value, clock: at } of decodeBatch(batch).ops) {
      clock = Math.max(clock, at)
      if (key !== undefined) put(key, value)
    }
    for (const listener of listeners) listener()
  }

  function put(key: string, value: unknown): void {
    if (typeof value === 'string') texts.set(key, value)
    else texts.delete(key)
  }

  function write(key: string, value: string | null): void {
    put(key, value ?? undefined)
    const targetId = spaceId as string as VertexId
    unsent.push({ clock: ++clock, peerId, treeId: spaceId as never, spaceId, targetId, key, value })
    // The edits of one turn, and those made while others are on their way, go together.
    sending ??= Promise.resolve().then(send)
  }

  async function send(): Promise<void> {
    while (unsent.length > 0) {
      const ops = unsent.slice(0, atOnce)
      unsent = unsent.slice(atOnce)
      await ask(socket, 'ops:push', { spaceId, batch: encodeBatch({ spaceId, ops }) })
    }
    sending = undefined
  }

  const onAppended = (appended: { readonly spaceId: SpaceId; readonly batch: Uint8Array }): void => {
    if (appended.spaceId === spaceId) take(appended.batch)
  }
  socket.on('ops:appended', onAppended)
  const joined = await ask(socket, 'space:join', { spaceId, page: {} })
  let { cursor } = joined
  if (joined.page !== undefined) {
    take(joined.page.batch)
    cursor = joined.page.cursor
  }
  while (cursor < joined.head) {
    const page = await ask(socket, 'ops:pull', { spaceId, after: cursor })
    take(page.batch)
    cursor = page.cursor
  }

  return {
    name: spaceId,
    set: write,
    delete: (key) => write(key, null),
    get: (key) => texts.get(key),
    size: () => texts.size,
    onChange: (listener) => void listeners.push(listener),
    acked: async () => {
      while (sending !== undefined) await sending
    },
    close: async () => {
      socket.off('ops:appended', onAppended)
      await ask(socket, 'space:leave', { spaceId })
    },
  }
}

/** Asks for what the server can give at the moment or a little later. */
async function ask<Name extends RequestName>(
  socket: Socket,
  name: Name,
  payload: object,
): Promise<RequestReply<Name>> {
  const reply = await socket.emitWithAck(name, payload)
  if (reply.ok === true) return reply
  if (reply.error.retryAfterMs === undefined) throw new Error(`${name}: ${reply.error.message}`)
  await pause(reply.error.retryAfterMs)
  return ask(socket, name, payload)
}

async function post(url: string, body: object, token?: string): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
  const answer = (await response.json()) as Record<string, unknown>
  if (!response.ok) throw new Error(`${url}: ${JSON.stringify(answer)}`)
  return answer
}
