import {
  accessIdSchema,
  decodeBatch,
  encodeBatch,
  type Ack,
  type ErrorBody,
  type Handshake,
  type NotificationName,
  type NotificationPayload,
  type PeerId,
  type SpaceId,
  type TreeId,
  type TreeOperation,
  type VertexId,
} from '@t69/protocol'
import type { Connection, Transport } from '@t69/sync-client'
import { describe, expect, it } from 'vitest'

import { ask } from '../lib/ask.ts'

/** A device's network to a server with one space. */
export interface TransportWorld extends AsyncDisposable {
  readonly transport: Transport
  readonly spaceId: SpaceId
  /** The handshake of a user who may write in the space. */
  readonly handshake: Handshake
  /** The handshake of a user whom the server does not know. */
  readonly stranger: Handshake
  /** Breaks every connection, and refuses new ones until `mend`. */
  cut(): void
  mend(): void
  /** Delivers nothing from now on, while connections stay open. */
  stall(): void
  /** Sends an event from the server to the only connection, well formed or not. */
  say(name: string, payload: unknown): void
  /** Makes the server end the connections of the user of `handshake`. */
  endSession(): Promise<void>
  /** Waits until `check` holds, or throws. */
  until(check: () => boolean): Promise<void>
}

type Heard = { [N in NotificationName]: { name: N; payload: NotificationPayload<N> } }[NotificationName]

/** The contract of every `Transport`. Without `canSay`, the world's `say` is not called. */
export function describeTransport(
  title: string,
  open: () => Promise<TransportWorld>,
  { canSay = true } = {},
): void {
  describe(`the transport over ${title}`, () => {
    it('a connection opens once, and then answers requests', async () => {
      await using world = await open()
      const end = connect(world)
      await end.opened()
      expect(await end.ask((it) => ask(it, 'space:join', { spaceId: world.spaceId }))).toMatchObject({
        ok: true,
        head: 0,
        role: 'owner',
      })
      expect(end.log).toEqual(['opened'])
      end.connection.close()
    })

    it("[AU1] a connection whose handshake is refused closes once, with the server's reason", async () => {
      await using world = await open()
      const end = connect(world, world.stranger)
      await end.closed()
      await settled(world)
      expect(end.log).toEqual(['closed: unauthenticated'])
    })

    it('a connection without a network closes once, and a later one opens', async () => {
      await using world = await open()
      world.cut()
      const end = connect(world)
      await end.closed()
      world.mend()
      await settled(world)
      expect(end.log).toEqual(['closed: unavailable'])
    })

    it('requests before opening or after closing are answered unavailable, and signals are dropped', async () => {
      await using world = await open()
      const end = connect(world)
      const { spaceId } = world
      const leave = (it: Connection) => ask(it, 'space:leave', { spaceId })
      const early = leave(end.connection)
      end.connection.signal('presence:set', { spaceId, state: 'early' })
      expect(await early).toMatchObject(unavailable)
      await end.opened()
      world.cut()
      await end.closed()
      expect(await leave(end.connection)).toMatchObject(unavailable)
      end.connection.signal('presence:set', { spaceId, state: 'late' })
      end.connection.close()
      world.mend()
      expect(await leave(end.connection)).toMatchObject(unavailable)
      expect(end.log).toEqual(['opened', 'closed: unavailable'])
    })

    it('notifications arrive in order, with batches as bytes', async () => {
      await using world = await open()
      const [writer, reader] = [connect(world), connect(world)]
      const { spaceId } = world
      for (const end of [writer, reader]) {
        await end.opened()
        await end.ask((it) => ask(it, 'space:join', { spaceId }))
      }
      const count = 20
      for (let clock = 1; clock <= count; clock++) {
        const batch = encodeBatch({ spaceId, ops: [operation(spaceId, clock)] })
        const pushed = await writer.ask((it) => ask(it, 'ops:push', { spaceId, batch }))
        expect(pushed).toMatchObject({ ok: true, cursor: clock })
      }
      const appended = () =>
        reader.heard.flatMap(({ name, payload }) => (name === 'ops:appended' ? [payload] : []))
      await world.until(() => appended().length === count)
      for (const [index, { batch, after }] of appended().entries()) {
        expect(after).toBe(index)
        expect(batch).toBeInstanceOf(Uint8Array)
        expect(decodeBatch(batch).ops).toEqual([operation(spaceId, index + 1)])
      }
      const page = await reader.ask((it) => ask(it, 'ops:pull', { spaceId, after: 0 }))
      if (!page.ok) throw new Error(page.error.message)
      expect(page.batch).toBeInstanceOf(Uint8Array)
      expect(decodeBatch(page.batch).ops).toHaveLength(count)
      for (const end of [writer, reader]) end.connection.close()
    })

    it('acks and notifications come in the order in which the server sent them', async () => {
      await using world = await open()
      const { spaceId } = world
      const ends = [connect(world), connect(world)]
      for (const end of ends) {
        await end.opened()
        await end.ask((it) => ask(it, 'space:join', { spaceId }))
      }
      const count = 20
      /** The positions in the log, as each end heard of them: its own by an ack, those of the other by a notification. */
      const orders = ends.map((end, index) => {
        const order: number[] = []
        end.onAppended = (cursor) => order.push(cursor)
        for (let clock = 1; clock <= count; clock++) {
          const op = operation(spaceId, index * count + clock)
          end.connection.request(
            'ops:push',
            { spaceId, batch: encodeBatch({ spaceId, ops: [op] }) },
            (ack) => {
              if (ack.ok) order.push(ack.cursor)
            },
          )
        }
        return order
      })
      await world.until(() => orders.every((order) => order.length === 2 * count))
      const inOrder = Array.from({ length: 2 * count }, (_, index) => index + 1)
      expect(orders).toEqual([inOrder, inOrder])
      for (const end of ends) end.connection.close()
    })

    it('a connection closed by the client tells nothing more, and answers pending requests with unavailable', async () => {
      await using world = await open()
      const end = connect(world)
      await end.opened()
      const underWay = ask(end.connection, 'space:join', { spaceId: world.spaceId })
      end.connection.close()
      expect(await underWay).toMatchObject(unavailable)
      const opening = connect(world)
      opening.connection.close()
      await settled(world)
      world.cut()
      await settled(world, () => world.mend())
      expect(end.log).toEqual(['opened'])
      expect(opening.log).toEqual([])
    })

    it('pending requests are answered unavailable when the connection breaks', async () => {
      await using world = await open()
      const end = connect(world)
      await end.opened()
      world.stall()
      const asked = ask(end.connection, 'space:join', { spaceId: world.spaceId })
      world.cut()
      await end.closed()
      expect(await asked).toMatchObject(unavailable)
      expect(end.log).toEqual(['opened', 'closed: unavailable'])
    })

    it('[AU5] a connection that the server ends closes once', async () => {
      await using world = await open()
      const end = connect(world)
      await end.opened()
      await world.endSession()
      await end.closed()
      // Whether the reason is given depends on the transport. The refusal of the next handshake has it in any case.
      expect(end.log).toHaveLength(2)
      expect(await ask(end.connection, 'space:leave', { spaceId: world.spaceId })).toMatchObject(unavailable)
    })

    if (!canSay) return
    it('every notification of the protocol is handed on', async () => {
      await using world = await open()
      const end = connect(world)
      await end.opened()
      const said = Object.entries(samples(world.spaceId)).map(([name, payload]) => ({ name, payload }))
      for (const { name, payload } of said) world.say(name, payload)
      await world.until(() => end.heard.length >= said.length)
      expect(end.heard).toEqual(said)
      end.connection.close()
    })

    it('a notification that does not match its schema is dropped, and the connection continues', async () => {
      await using world = await open()
      const end = connect(world)
      await end.opened()
      world.say('auth:expiring', { expiresInMs: 1 })
      world.say('auth:expiring', { expiresInMs: 'soon' })
      world.say('ops:appended', { spaceId: world.spaceId, batch: 'no bytes' })
      world.say('constructor', {})
      world.say('auth:expiring', { expiresInMs: 2 })
      await world.until(() => end.heard.length >= 2)
      expect(end.heard).toEqual([
        { name: 'auth:expiring', payload: { expiresInMs: 1 } },
        { name: 'auth:expiring', payload: { expiresInMs: 2 } },
      ])
      expect(await end.ask((it) => ask(it, 'space:join', { spaceId: world.spaceId }))).toMatchObject({
        ok: true,
      })
      end.connection.close()
    })
  })
}

/** A payload of each notification. A new one does not compile until it is here, and then fails until it is handed on. */
function samples(spaceId: SpaceId): { readonly [N in TextNotification]: NotificationPayload<N> } {
  return {
    'ops:transient': { spaceId, connectionId: 'a', changes: [] },
    'presence:changed': { spaceId, present: [], gone: ['a'] },
    'space:sealed': { spaceId, accessId: accessIdSchema.parse('a'.repeat(32)), seal: 'the members' },
    'space:closed': { spaceId, reason: 'changed' },
    'auth:expiring': { expiresInMs: 1 },
  }
}

/** Every notification but `ops:appended`: its batch is bytes, which `say` cannot write, and another test receives it. */
type TextNotification = Exclude<NotificationName, 'ops:appended'>

const unavailable = { ok: false, error: { code: 'unavailable' } }

/** A connection, and everything that its listener was told. */
function connect(world: TransportWorld, handshake = world.handshake) {
  const log: string[] = []
  const heard: Heard[] = []
  const end = { onAppended: (_cursor: number): void => {} }
  const connection = world.transport.connect(handshake, {
    opened: () => void log.push('opened'),
    closed: ({ code }: ErrorBody) => void log.push(`closed: ${code}`),
    notified(name, payload) {
      heard.push({ name, payload } as Heard)
      if (name === 'ops:appended' && 'cursor' in payload) end.onAppended(payload.cursor)
    },
  })
  return Object.assign(end, {
    connection,
    log,
    heard,
    opened: () => world.until(() => log.includes('opened')),
    closed: () => world.until(() => log.some((entry) => entry.startsWith('closed'))),
    async ask<Reply>(request: (connection: Connection) => Promise<Ack<Reply>>): Promise<Ack<Reply>> {
      let answer: Ack<Reply> | undefined
      void request(connection).then((ack) => (answer = ack))
      await world.until(() => answer !== undefined)
      if (answer === undefined) throw new Error('no answer')
      return answer
    },
  })
}

/** Waits for everything in flight, by opening another connection and making a request on it. */
async function settled(world: TransportWorld, before = () => {}): Promise<void> {
  before()
  const end = connect(world)
  await end.opened()
  await end.ask((it) => ask(it, 'space:leave', { spaceId: world.spaceId }))
  end.connection.close()
}

function operation(spaceId: SpaceId, clock: number): TreeOperation {
  const ids = { peerId: '1' as PeerId, treeId: 'tree' as TreeId, targetId: 'v' as VertexId }
  return { ...ids, clock, spaceId, key: 'text', value: `value ${clock}` }
}
