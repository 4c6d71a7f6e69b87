import { encodeBatch, randomHexId, type SpaceId, type UserId } from '@t69/protocol'
import fc from 'fast-check'
import { expect, it } from 'vitest'

import type { Storage } from '../storage/storage.ts'
import { createGatewayHarness, settled } from '../testing/gateway-harness.ts'
import { newUserId, opsFrom } from '../testing/ops.ts'
import { createDoor, type Guest } from './door.ts'

const mebi = 1024 * 1024
const accounts = 10
const socketsOfEach = 4
const spaceIds = Array.from({ length: 12 }, (_, nr) => `${nr}`.padStart(32, '0') as SpaceId)

/** What an account sends at one moment, on all of its connections, so many times on each. */
interface Burst {
  readonly account: number
  readonly times: number
  readonly event: (typeof events)[number]
  readonly space: SpaceId
  /** How large it is, from 0 to 1. */
  readonly size: number
}

const events = [
  'space:join',
  'space:leave',
  'ops:push',
  'ops:pull',
  'tree:compare',
  'presence:set',
  'ops:transient',
  'nonsense',
] as const

const bursts: fc.Arbitrary<readonly Burst[]> = fc.array(
  fc.record({
    account: fc.nat(accounts - 1),
    times: fc.integer({ min: 1, max: 150 }),
    event: fc.constantFrom(...events),
    space: fc.constantFrom(...spaceIds),
    size: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  { minLength: 5, maxLength: 25 },
)

/** Batches are made once for each size: making them is not what is measured. */
const batches = new Map<string, Uint8Array>()
function batchOf(spaceId: SpaceId, size: number): Uint8Array {
  const count = [1, 100, 3_000][Math.floor(size * 2.99)] ?? 1
  const key = `${spaceId} ${count}`
  const made = batches.get(key) ?? encodeBatch({ spaceId, ops: opsFrom(1, count, { space: spaceId }) })
  batches.set(key, made)
  return made
}

function payloadOf({ event, space: spaceId, size }: Burst): unknown {
  const text = 'x'.repeat(Math.floor(size * 65_000))
  switch (event) {
    case 'space:join':
    case 'space:leave':
      return { spaceId }
    case 'ops:push':
      return { spaceId, batch: batchOf(spaceId, size) }
    case 'ops:pull':
      return { spaceId, after: 0 }
    case 'tree:compare':
      return { spaceId, treeId: 'tree', logId: randomHexId(), cursor: 0, digest: '0'.repeat(32) }
    case 'presence:set':
      return { spaceId, state: text }
    case 'ops:transient':
      return { spaceId, changes: [{ treeId: 'tree', targetId: 'v', key: 'k', value: text }] }
    case 'nonsense':
      return [text]
  }
}

/** A storage that answers when the turn ends, as one on a thread does, and says how much is asked for whom. */
function watchStorage() {
  const waiting: (() => void)[] = []
  const asked = new Map<UserId | undefined, number>()
  const most = { ofUser: 0 }
  const later = <Given extends { readonly spaceId: SpaceId; readonly payer?: UserId | undefined }, Answer>(
    call: (given: Given) => Promise<Answer>,
  ) => {
    return async (given: Given): Promise<Answer> => {
      const { payer } = given
      const count = (asked.get(payer) ?? 0) + 1
      asked.set(payer, count)
      if (payer !== undefined) most.ofUser = Math.max(most.ofUser, count)
      await new Promise<void>((resolve) => waiting.push(resolve))
      asked.set(payer, (asked.get(payer) ?? 1) - 1)
      return call(given)
    }
  }
  return {
    most,
    around: (inner: Storage): Storage => ({
      ...inner,
      open: later(inner.open),
      join: later(inner.join),
      page: later(inner.page),
      countTree: later(inner.countTree),
      commit: later(inner.commit),
    }),
    get isBusy() {
      return waiting.length > 0
    },
    answer: () => {
      for (const resolve of waiting.splice(0)) resolve()
    },
  }
}

function setUp() {
  const storage = watchStorage()
  const { connect, gateway, runtime, setRole } = createGatewayHarness({}, {}, storage.around)
  const door = createDoor(runtime, gateway.spent)
  const turn = { packets: 0, messages: 0 }
  const users = Array.from({ length: accounts }, newUserId)
  for (const userId of users) for (const spaceId of spaceIds) setRole(userId, 'editor', spaceId)

  function guestOf(userId: UserId) {
    const client = connect({ userId, role: 'none' })
    for (const spaceId of spaceIds) setRole(userId, 'editor', spaceId)
    const guest: Guest = {
      id: client.id,
      userId,
      handle: (data) => {
        turn.packets++
        const { event, payload } = data as { event: Burst['event']; payload: unknown }
        const { connection } = client
        if (event === 'presence:set' || event === 'ops:transient') return connection.signal(event, payload)
        connection.request(event === 'nonsense' ? 'ops:push' : event, payload, () => turn.messages++)
      },
      pause: () => {},
      resume: () => {},
      end: () => door.left(guest),
    }
    return { guest, client }
  }
  const guests = users.map((userId) => Array.from({ length: socketsOfEach }, () => guestOf(userId)))

  function send(burst: Burst): void {
    const payload = payloadOf(burst)
    const { event } = burst
    const bytes = event === 'ops:push' ? batchOf(burst.space, burst.size).length : 65_000 * burst.size
    for (const { guest } of guests[burst.account] ?? []) {
      for (let nr = 0; nr < burst.times; nr++) door.arrived(guest, { event, payload }, bytes)
    }
  }

  return { storage, runtime, door, guests, send, turn }
}

/** What one turn of the event loop may do, and what may be held, whatever is asked. */
const bounds = {
  packets: 32,
  /** Questions of one user to the storage. */
  questions: 4,
  /** To all sockets: each packet may be heard by everybody in a space. */
  sent: 32 * accounts * socketsOfEach + 32,
  heldAtTheDoor: accounts * 17 * mebi,
}

it('no turn does more, and no queue holds more, than its bound, whatever ten accounts ask at one moment', async () => {
  const worst = { packets: 0, questions: 0, sent: 0, heldAtTheDoor: 0 }
  await fc.assert(
    fc.asyncProperty(bursts, async (drawn) => {
      const { storage, runtime, door, guests, send, turn } = setUp()
      const sent = (): number => guests.flat().reduce((sum, { client }) => sum + client.seen.length, 0)
      for (const spaceId of spaceIds) {
        for (const { client } of guests.flat()) client.send('space:join', { spaceId })
      }
      while (storage.isBusy) {
        storage.answer()
        await settled()
      }
      for (const burst of drawn) send(burst)
      worst.heldAtTheDoor = Math.max(worst.heldAtTheDoor, door.waiting.bytes)
      while (door.waiting.packets > 0 || storage.isBusy) {
        const before = sent()
        turn.packets = 0
        runtime.turn()
        await settled()
        worst.packets = Math.max(worst.packets, turn.packets)
        worst.sent = Math.max(worst.sent, sent() - before)
        storage.answer()
        await settled()
        for (const { client } of guests.flat()) client.forget()
      }
      worst.questions = Math.max(worst.questions, storage.most.ofUser)
    }),
    { numRuns: 10, seed: 20261129 },
  )
  for (const [name, bound] of Object.entries(bounds)) {
    expect(worst[name as keyof typeof worst], name).toBeGreaterThan(0)
    expect(worst[name as keyof typeof worst], name).toBeLessThanOrEqual(bound)
  }
})
