import { randomBytes } from 'node:crypto'

import { encodeBatch, limits, type SignalName, utf8Length } from '@t69/protocol'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { createUserLimits, defaultUserLimits } from '../limits/user-limits.ts'
import { createGatewayHarness, type Seen } from '../testing/gateway-harness.ts'
import { newUserId, setOp, spaceId, treeId } from '../testing/ops.ts'
import { createRoom } from './room.ts'
import type { Socket } from './socket.ts'
import type { UserConnection } from './user-connection.ts'

/** Bytes of a message as Socket.io writes it: JSON, with bytes beside it. */
function sizeOf(message: Seen): number {
  let binary = 0
  const text = JSON.stringify(message, (_, value: unknown) => {
    if (!(value instanceof Uint8Array)) return value
    binary += value.byteLength
    return { _placeholder: true, num: 0 }
  })
  return utf8Length(text) + binary
}

/** JSON texts of which some are longer once they were parsed and written again: 4 bytes become 21. */
const texts = fc
  .record({
    element: fc.constantFrom(
      '1e20',
      '-1e20',
      '9e20',
      '1e-6',
      '1e21',
      '0.1e1',
      '"\\u0001"',
      '"名"',
      '"x"',
      '{}',
    ),
    bytes: fc.integer({ min: 1, max: limits.maxTransientBytes - 2 }),
  })
  .map(({ element, bytes }) => {
    const written = utf8Length(JSON.stringify(JSON.parse(element))) + 1
    return `[${Array.from({ length: Math.ceil(bytes / written) }, () => element).join(',')}]`
  })

const change = (value: string, key: number) =>
  `{"treeId":"${treeId}","targetId":"v","key":"k${key}","value":${value}}`

const transients = fc
  .tuple(texts, fc.integer({ min: 1, max: limits.maxTransientChanges }))
  .map(([value, count]) => ({
    name: 'ops:transient' as const,
    text: `{"spaceId":"${spaceId}","changes":[${Array.from({ length: count }, (_, key) => change(value, key)).join(',')}]}`,
  }))
const presence = texts.map((state) => ({
  name: 'presence:set' as const,
  text: `{"spaceId":"${spaceId}","state":${state}}`,
}))
const pushes = texts.map((value) => ({ name: 'ops:push' as const, text: value }))

const roomy = { signalBurst: 1e9, signalsPerSecond: 1e9 }
const rich = { bytes: { perSecond: 1e12, burst: 1e12 } }

describe('what the server sends', () => {
  it('[LI1] no message exceeds its limit, whatever members send within theirs', async () => {
    const sent = new Set<SignalName | 'ops:push'>()
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(transients, presence, pushes), { minLength: 1, maxLength: 3 }),
        async (messages) => {
          const { connect, turn } = createGatewayHarness(roomy, rich)
          const [anna, ben] = [connect(), connect()]
          await anna.join()
          await ben.join()
          for (const [index, { name, text }] of messages.entries()) {
            // Socket.io ends the connection that sends a larger one.
            if (utf8Length(text) > limits.maxMessageBytes - 100) continue
            const payload: unknown = JSON.parse(text)
            if (name === 'ops:push') {
              const value = payload as number[]
              // The same operation twice: what is left of the batch is encoded again.
              const ops = [setOp(index + 1, value), setOp(index + 1, value)]
              await anna.request('ops:push', { spaceId, batch: encodeBatch({ spaceId, ops }) })
              await turn()
            } else anna.connection.signal(name, payload)
          }
          const late = connect()
          await late.join()
          await late.request('ops:pull', { spaceId, after: 0 })
          for (const message of [...anna.seen, ...ben.seen, ...late.seen]) {
            expect(sizeOf(message)).toBeLessThanOrEqual(limits.maxMessageBytes)
            if ('name' in message && message.name !== 'ops:appended') sent.add(message.name as SignalName)
            else sent.add('ops:push')
          }
        },
      ),
      { numRuns: 25 },
    )
    expect(sent.has('ops:transient')).toBe(true)
  })

  it('[LI1] [JO8] a page does not come with the seal of many members if both are large', async () => {
    const { connect, space } = createGatewayHarness({}, rich)
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    // As little as possible is gained by compressing it.
    const text = Array.from(randomBytes(520_000), (byte) =>
      String.fromCharCode(byte % 90 === 57 ? 33 : 35 + (byte % 90)),
    ).join('')
    expect((await anna.push([setOp(1, text)])).ack).toMatchObject({ ok: true })
    for (const [sealLength, hasPage] of [
      [limits.maxSealLength, false],
      [200_000, true],
    ] as const) {
      Object.assign(space, { sealLength })
      const { ack } = await ben.join({ page: {} })
      expect(ack).toMatchObject({ ok: true, head: 1, seal: { accessId: space.accessId } })
      expect(ack?.ok === true && ack.page !== undefined).toBe(hasPage)
    }
    for (const message of ben.seen) expect(sizeOf(message)).toBeLessThanOrEqual(limits.maxMessageBytes)
  })

  it('[LI1] a hundred numbers that grow when they are written again are not passed on', async () => {
    const { connect } = createGatewayHarness(roomy, rich)
    const [anna, ben] = [connect(), connect()]
    await anna.join()
    await ben.join()
    const value = `[${Array.from({ length: 1_900 }, () => '1e20').join(',')}]`
    const changes = Array.from({ length: limits.maxTransientChanges }, (_, key) => change(value, key))
    const text = `{"spaceId":"${spaceId}","changes":[${changes.join(',')}]}`
    expect(text.length).toBeLessThan(limits.maxMessageBytes)
    anna.connection.signal('ops:transient', JSON.parse(text))
    expect(ben.got('ops:transient')).toEqual([])
    const few = `{"spaceId":"${spaceId}","changes":[${changes.slice(0, 10).join(',')}]}`
    anna.connection.signal('ops:transient', JSON.parse(few))
    expect(ben.got('ops:transient')).toHaveLength(1)
  })

  it('[LI1] a crowd with long names and short states is shown in several messages, and so is its leaving', async () => {
    const room = createRoom(spaceId, 1_000)
    const userLimits = createUserLimits(defaultUserLimits, () => 0)
    const seen: { present: unknown[]; gone: string[] }[] = []
    let backlog = 0
    function member(id: string, send: Socket['send'] = () => {}): UserConnection {
      const userId = newUserId()
      const data = { userId, userName: '名'.repeat(200), sessionId: 'session', tokenExpiresAt: 0 }
      const socket = {
        id,
        takesCompressed: true,
        send,
        disconnect: () => {},
        backlogBytes: () => (id === 'late' ? backlog : 0),
      }
      return {
        socket,
        data,
        allowance: userLimits.of(userId),
        joined: new Set([spaceId]),
        missing: new Set(),
        entering: new Set(),
        isOver: false,
      }
    }
    const crowd = Array.from({ length: 2_000 }, (_, index) => member('x'.repeat(600) + index))
    for (const connection of crowd) room.enter(connection, 'editor')
    for (const connection of crowd) room.show(connection, '名', 3)
    const late = member('late', (name, payload) => {
      expect(sizeOf({ name, payload })).toBeLessThanOrEqual(limits.maxMessageBytes)
      seen.push(payload as (typeof seen)[number])
    })
    room.enter(late, 'viewer')
    expect(seen.flatMap(({ present }) => present)).toHaveLength(crowd.length)
    backlog = 2_000
    for (const connection of crowd) room.leave(connection)
    backlog = 0
    room.catchUp(late, () => expect.unreachable())
    expect(seen.flatMap(({ gone }) => gone)).toHaveLength(crowd.length)
    expect(seen.length).toBeGreaterThan(4)
  })
})
