import { randomBytes } from 'node:crypto'

import { randomHexId, type SpaceId, SyncError } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createGatewayHarness } from '../testing/gateway-harness.ts'
import { newUserId, opsFrom, setOp, spaceId, treeId } from '../testing/ops.ts'

const limited = (retryAfterMs: number) => ({ ok: false, error: { code: 'rate_limited', retryAfterMs } })
const transient = { spaceId, changes: [{ treeId, targetId: 'v', key: 'k', value: 'x'.repeat(970) }] }

function refusalOf(run: () => void): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error instanceof SyncError ? error.body : error
  }
}

describe('the limits of a user', () => {
  it('[LI5] [LI4] are shared by all of the user’s sockets, and reconnecting does not reset them', async () => {
    const { connect, runtime } = createGatewayHarness({}, { requests: { perSecond: 10, burst: 4 } })
    const userId = newUserId()
    const [laptop, phone, other] = [connect({ userId }), connect({ userId }), connect()]
    const acks = []
    for (const client of [laptop, phone, laptop, phone, laptop, phone]) acks.push((await client.join()).ack)
    expect(acks.map((ack) => ack?.ok)).toEqual([true, true, true, true, false, false])
    expect(acks[4]).toMatchObject(limited(100))
    expect((await other.join()).ack).toMatchObject({ ok: true })
    laptop.connection.closed()
    phone.connection.closed()
    expect((await connect({ userId }).join()).ack).toMatchObject(limited(100))
    runtime.advance(100)
    expect((await connect({ userId }).join()).ack).toMatchObject({ ok: true })
  })

  it('[LI5] count pushes and pulls once their cost is known, and refuse while it is owed', async () => {
    const rates = { operations: { perSecond: 1_000, burst: 2_500 } }
    const { connect, runtime } = createGatewayHarness({}, rates)
    const anna = connect()
    await anna.join()
    expect((await anna.push(opsFrom(1, 1_500))).ack).toMatchObject({ ok: true, cursor: 1_500 })
    expect((await anna.push(opsFrom(1_501, 1_500))).ack).toMatchObject({ ok: true, cursor: 3_000 })
    // Refused before it is decoded, so its content does not matter.
    const batch = new Uint8Array([1, 2, 3])
    const waitMs = waitOf((await anna.request('ops:push', { spaceId, batch })).ack)
    expect(waitMs).toBeGreaterThanOrEqual(1_000)
    expect(waitMs).toBeLessThan(2_000)
    expect((await anna.request('ops:pull', { spaceId, after: 0 })).ack).toMatchObject(limited(waitMs))
    runtime.advance(waitMs)
    expect((await anna.request('ops:pull', { spaceId, after: 0 })).ack).toMatchObject({
      ok: true,
      cursor: 3_000,
    })
    expect(waitOf((await anna.request('ops:pull', { spaceId, after: 0 })).ack)).toBeGreaterThanOrEqual(3_000)
    const compared = await anna.compare({ spaceId, treeId, ...position((await anna.join()).ack) })
    expect(waitOf(compared)).toBeGreaterThanOrEqual(3_000)
  })

  it('[LI5] count the bytes of a large value, pushed and pulled', async () => {
    const { connect } = createGatewayHarness({}, { operations: { perSecond: 1, burst: 8_000 } })
    const anna = connect()
    await anna.join()
    // What compresses well costs little to send.
    const text = randomBytes(375_000).toString('base64')
    expect((await anna.push([setOp(1, text)])).ack).toMatchObject({ ok: true })
    const pulls = []
    for (let nth = 0; nth < 10; nth++) {
      pulls.push((await anna.request('ops:pull', { spaceId, after: 0 })).ack?.ok)
    }
    expect(pulls.filter((isOk) => isOk === true).length).toBeLessThanOrEqual(4)
    expect((await anna.push([setOp(2, 'x')])).ack).toMatchObject({ error: { code: 'rate_limited' } })
  })

  it('[LI5] count a push by its receivers', async () => {
    const { connect } = createGatewayHarness({}, { operations: { perSecond: 1, burst: 1_000 } })
    const [anna, ...others] = Array.from({ length: 20 }, () => connect())
    for (const client of [anna, ...others]) await client?.join()
    const pushes = []
    for (let nth = 0; nth < 40; nth++) pushes.push((await anna!.push([setOp(nth + 1, nth)])).ack?.ok)
    expect(pushes.filter((isOk) => isOk === true).length).toBeLessThanOrEqual(10)
    expect((await others[0]!.push([setOp(100, 1)])).ack).toMatchObject({ ok: true })
  })

  it('[LI5] count opening a space that is not open, and not using it', async () => {
    const { connect, setRole, runtime } = createGatewayHarness(
      {},
      { operations: { perSecond: 1_000, burst: 1_000 } },
    )
    const anna = connect()
    const spaces = Array.from({ length: 3 }, () => randomHexId() as SpaceId)
    for (const space of spaces) setRole(anna.userId, 'owner', space)
    const joined = async () => {
      const outcomes = []
      for (const space of spaces) outcomes.push((await anna.join({}, space)).ack?.ok)
      return outcomes
    }
    expect(await joined()).toEqual([true, true, false])
    expect(await joined()).toEqual([true, true, false])
    runtime.advance(300)
    expect(await joined()).toEqual([true, true, true])
  })

  it('[LI5] count even the smallest signals by their receivers', async () => {
    const { connect } = createGatewayHarness({}, { signals: { perSecond: 1, burst: 10 } })
    const [anna, ...others] = Array.from({ length: 32 }, () => connect())
    for (const client of [anna, ...others]) await client?.join()
    const changes = [{ treeId, targetId: 'v', key: 'k' }]
    for (let n = 0; n < 10; n++) anna?.connection.signal('ops:transient', { spaceId, changes })
    expect(others[0]?.got('ops:transient')).toHaveLength(4)
  })

  it('[LI5] count the bytes of signals by their receivers', async () => {
    const { connect, runtime } = createGatewayHarness({}, { bytes: { perSecond: 10_000, burst: 25_000 } })
    const [anna, ...others] = Array.from({ length: 10 }, () => connect())
    if (anna === undefined) throw new Error('nobody')
    for (const client of [anna, ...others]) await client.join()
    for (let n = 0; n < 20; n++) anna.connection.signal('ops:transient', transient)
    const [ben] = others
    // 1,000 bytes to ten receivers, until the user is in debt.
    expect(ben?.got('ops:transient')).toHaveLength(3)
    expect((await anna.join()).ack).toMatchObject({ ok: false, error: { code: 'rate_limited' } })
    expect((await ben!.join()).ack).toMatchObject({ ok: true })
    runtime.advance(2_000)
    expect((await anna.join()).ack).toMatchObject({ ok: true })
  })

  it('[LI5] count connecting, however soon the connection closes', async () => {
    const rates = { operations: { perSecond: 1_000, burst: 5_000 } }
    const { connect, gateway, runtime } = createGatewayHarness({}, rates)
    const userId = newUserId()
    const data = { userId, userName: '', sessionId: '', tokenExpiresAt: runtime.now() }
    const check = () => refusalOf(() => gateway.checkSocket(data))
    let admitted = 0
    for (; admitted < 1_000 && check() === undefined; admitted++) connect({ userId }).connection.closed()
    expect(admitted).toBe(25)
    expect(check()).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) })
    runtime.advance(1_000)
    expect(check()).toBeUndefined()
  })

  it('[LI6] disconnect a user who keeps sending though refused, until the debt is paid', async () => {
    const bytes = { perSecond: 1_000, burst: 10_000 }
    const { connect, gateway, runtime } = createGatewayHarness({}, { bytes })
    const userId = newUserId()
    const [laptop, phone, other] = [connect({ userId }), connect({ userId }), connect()]
    laptop.connection.received(15_000)
    expect((await laptop.join()).ack).toMatchObject({ ok: false, error: { code: 'rate_limited' } })
    expect(laptop.disconnected).toBeUndefined()
    laptop.connection.received(5_000)
    expect(laptop.disconnected).toMatchObject({ code: 'rate_limited' })
    expect(phone.disconnected).toBeUndefined()
    phone.connection.received(1)
    expect(phone.disconnected).toMatchObject({ code: 'rate_limited' })
    other.connection.received(1)
    expect(other.disconnected).toBeUndefined()

    const data = { userId, userName: '', sessionId: '', tokenExpiresAt: runtime.now() + 1_000_000 }
    const refused = refusalOf(() => gateway.checkSocket(data))
    expect(refused).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) })
    runtime.advance(11_000)
    expect(refusalOf(() => gateway.checkSocket(data))).toBeUndefined()
    expect((await connect({ userId }).join()).ack).toMatchObject({ ok: true })
  })

  it('[LI6] count even the smallest messages', async () => {
    const { connect } = createGatewayHarness({}, { bytes: { perSecond: 1, burst: 10_000 } })
    const anna = connect()
    for (let n = 0; n < 100; n++) anna.connection.received(1)
    expect(anna.disconnected).toMatchObject({ code: 'rate_limited' })
  })

  it('[LI7] bound the open sockets of a user', async () => {
    const { connect, gateway, runtime } = createGatewayHarness({}, { sockets: 2 })
    const userId = newUserId()
    const data = { userId, userName: '', sessionId: '', tokenExpiresAt: runtime.now() }
    const check = () => refusalOf(() => gateway.checkSocket(data))
    const [laptop] = [connect({ userId }), connect({ userId })]
    expect(check()).toMatchObject({ code: 'rate_limited', retryAfterMs: 30_000 })
    laptop.connection.closed()
    laptop.connection.closed()
    expect(check()).toBeUndefined()
    connect({ userId })
    expect(check()).toMatchObject({ code: 'rate_limited' })
  })

  it('[LI8] bound the presence of all connections of a user together', async () => {
    const { connect } = createGatewayHarness({}, { shownBytes: 1_000 })
    const userId = newUserId()
    const [laptop, phone, other] = [connect({ userId }), connect({ userId }), connect()]
    for (const client of [laptop, phone, other]) await client.join()
    const show = (client: typeof laptop, state: string | null) =>
      client.connection.signal('presence:set', { spaceId, state })
    const shown = async () => {
      other.forget()
      await other.join()
      return other.got('presence:changed').flatMap((it) => (it as { present: object[] }).present).length
    }
    show(laptop, 'x'.repeat(600))
    show(phone, 'x'.repeat(600))
    expect(await shown()).toBe(1)
    show(laptop, null)
    show(phone, 'x'.repeat(600))
    expect(await shown()).toBe(1)
    await phone.request('space:leave', { spaceId })
    show(laptop, 'x'.repeat(900))
    laptop.connection.closed()
    await phone.join()
    show(phone, 'x'.repeat(900))
    expect(await shown()).toBe(1)
  })

  it('let a device join and pull 500 spaces as soon as it connects', async () => {
    const { connect, setRole } = createGatewayHarness()
    const anna = connect()
    const outcomes: unknown[] = []
    for (let nth = 0; nth < 500; nth++) {
      const space = randomHexId() as SpaceId
      setRole(anna.userId, 'owner', space)
      const joined = (await anna.join({}, space)).ack
      outcomes.push(joined?.ok, (await anna.request('ops:pull', { spaceId: space, after: 0 })).ack?.ok)
    }
    expect(new Set(outcomes)).toEqual(new Set([true]))
  })

  it('are forgotten for a user who is gone and owes nothing', async () => {
    const { connect, userLimits, runtime } = createGatewayHarness(
      {},
      { requests: { perSecond: 1, burst: 90 } },
    )
    const [anna, ben, idle] = [connect(), connect(), connect()]
    const allowances = () => [anna, ben, idle].map(({ userId }) => userLimits.of(userId))
    const before = allowances()
    const isForgotten = () => allowances().map((allowance, index) => allowance !== before[index])
    for (let n = 0; n < 90; n++) await anna.join()
    anna.connection.closed()
    ben.connection.closed()
    expect(isForgotten()).toEqual([false, false, false])
    runtime.advance(60_000)
    connect()
    expect(isForgotten()).toEqual([false, true, false])
    runtime.advance(60_000)
    connect()
    expect(isForgotten()).toEqual([true, true, false])
    expect((await idle.join()).ack).toMatchObject({ ok: true })
  })
})

function waitOf(ack: unknown): number {
  expect(ack).toMatchObject({ ok: false, error: { code: 'rate_limited', retryAfterMs: expect.any(Number) } })
  return (ack as { error: { retryAfterMs: number } }).error.retryAfterMs
}

function position(joined: unknown): object {
  const { logId, head } = joined as { logId: string; head: number }
  return { logId, cursor: head, digest: '0'.repeat(32) }
}
