import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'

import {
  decodeBatch,
  encodeBatch,
  type Epoch,
  type PeerId,
  protocolVersion,
  randomHexId,
  type SpaceId,
  SyncError,
  type TreeId,
  type TreeOperation,
  type UserId,
  type VertexId,
} from '@t69/protocol'
import { io, type Socket as ClientSocket } from 'socket.io-client'
import { expect, it } from 'vitest'

import { createSpaces } from '../spaces/spaces.ts'
import { createMemoryOpLogs } from '../storage/memory-op-logs.ts'
import { createGateway } from './gateway.ts'
import { attachSocketIo } from './socket-io.ts'

const spaceId = 'a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4' as SpaceId

function opsFrom(first: number, count: number): TreeOperation[] {
  return Array.from({ length: count }, (_, index) => ({
    clock: first + index,
    peerId: '7' as PeerId,
    treeId: 'tree' as TreeId,
    spaceId,
    targetId: 'vertex' as VertexId,
    key: 'name',
    value: `value ${first + index}`,
  }))
}

/** A whole gateway behind a real HTTP server; every token is a user's id, and everybody is an editor. */
async function startServer() {
  const http = createServer()
  const tokens = {
    verify: (token: string) => {
      if (!/^[0-9a-f]{32}$/.test(token)) throw new SyncError('unauthenticated', 'no such token')
      return {
        userId: token as UserId,
        userName: 'Anna',
        sessionId: token,
        tokenExpiresAt: Date.now() + 600_000,
      }
    },
  }
  const spaces = createSpaces({ opLogs: createMemoryOpLogs(), epoch: randomHexId() as Epoch })
  const gateway = createGateway({ spaces, access: { roleOf: () => 'editor' }, tokens })
  const attached = attachSocketIo(http, { gateway, tokens })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const clients: ClientSocket[] = []
  return {
    url,
    gateway,
    connect: (auth: object, options: object = {}) => {
      const client = io(url, {
        auth,
        reconnection: false,
        forceNew: true,
        transports: ['websocket'],
        ...options,
      })
      clients.push(client)
      return client
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.disconnect()
      await gateway.close()
      await attached.close()
      await spaces.close()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}

const goodAuth = () => ({ token: randomHexId(), protocolVersion })

function next(client: ClientSocket, event: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} came`)), 5_000)
    client.once(event, (payload: unknown) => {
      clearTimeout(timer)
      resolve(payload)
    })
  })
}

it.each([['websocket'], ['polling']])(
  'joins, pushes, is told of appends and pulls over %s',
  async (transport) => {
    await using server = await startServer()
    const anna = server.connect(goodAuth(), { transports: [transport] })
    const ben = server.connect(goodAuth(), { transports: [transport] })
    for (const client of [anna, ben]) {
      const joined = await client.timeout(5_000).emitWithAck('space:join', { spaceId })
      expect(joined).toMatchObject({ ok: true, cursor: 0, head: 0, role: 'editor' })
    }
    const appended = next(ben, 'ops:appended')
    const ops = opsFrom(1, 3)
    const pushed = await anna
      .timeout(5_000)
      .emitWithAck('ops:push', { spaceId, batch: encodeBatch({ spaceId, ops }) })
    expect(pushed).toMatchObject({ ok: true, after: 0, cursor: 3, head: 3, duplicates: 0, rejected: [] })
    const { batch, after, cursor } = (await appended) as { batch: Uint8Array; after: number; cursor: number }
    expect({ after, cursor }).toEqual({ after: 0, cursor: 3 })
    expect(decodeBatch(new Uint8Array(batch)).ops).toEqual(ops)
    const page = await ben.timeout(5_000).emitWithAck('ops:pull', { spaceId, after: 1 })
    expect(page).toMatchObject({ ok: true, after: 1, cursor: 3, head: 3 })
    expect(decodeBatch(new Uint8Array(page.batch)).ops).toEqual(ops.slice(1))
  },
)
