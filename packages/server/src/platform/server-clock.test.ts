import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type UserId } from '@t69/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { createManualRuntime, type ManualRuntime } from '../testing/manual-runtime.ts'
import { keepTidy } from './keep-tidy.ts'
import { openPlatform, type Platform } from './platform.ts'
import { createServerClock, type ServerClock } from './server-clock.ts'

const minute = 60_000
const day = 24 * 60 * minute
const year = 365 * day
const userId = 'a'.repeat(32) as UserId

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 't69-clock-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

interface World extends Disposable {
  readonly runtime: ManualRuntime
  readonly platform: Platform
  readonly clock: ServerClock
  /** How far each jump was, in ms, as it was logged. */
  readonly warned: number[]
  readonly counted: () => number
  /** How far the server's clock is from the time that has really passed. */
  readonly wrongByMs: () => number
}

const startAt = Date.parse('2026-06-01')

/** A server on the test's folder. `elapsedMs` have passed since the first one, and the clock of the machine is off. */
function start({ elapsedMs = 0, offMs = 0 } = {}): World {
  const runtime = createManualRuntime(startAt + elapsedMs)
  runtime.set(startAt + elapsedMs + offMs)
  const platform = openPlatform({ dataDir, synchronous: 'normal', refreshTokenTtlMs: 30 * day })
  const warned: number[] = []
  let jumps = 0
  const warn = (details: object) => void ('byMs' in details && warned.push(Number(details.byMs)))
  const logger = { info: () => {}, warn, error: () => {} }
  const metrics = { clockJumped: () => void jumps++ }
  const clock = createServerClock({ runtime, stored: platform.storedTimes, logger, metrics })
  const stopTidying = keepTidy({ platform, clock, runtime, logger })
  return {
    runtime,
    platform,
    clock,
    warned,
    counted: () => jumps,
    wrongByMs: () => clock.now() - runtime.monotonic(),
    [Symbol.dispose]() {
      stopTidying()
      clock.stop()
      platform.close()
    },
  }
}

/** Signs up a user with a space, and makes an invite. */
function signUp({ platform, clock }: World) {
  const now = clock.now()
  platform.users.add({ id: userId, email: 'a@example.org', name: 'A', passwordHash: 'x' }, now)
  const spaceId = 'b'.repeat(32) as never
  platform.spaceRecords.add({ id: spaceId, name: 'Shared' }, userId, now)
  const { token } = platform.invites.add({ spaceId, role: 'viewer', createdBy: userId }, now)
  const { token: link } = platform.passwordLinks.add(userId, now)
  const { token: mailed } = platform.passwordLinks.addMailed(userId, now)
  const address = platform.addressChanges.add(userId, 'b@example.org', now)
  const { refreshToken } = platform.sessions.start(userId, now)
  return { refreshToken, token, link, mailed, address }
}

describe('the clock of the server', () => {
  it('follows the machine’s clock while that goes on evenly, corrections by NTP included', () => {
    using world = start()
    for (let second = 0; second < 3_600; second++) {
      world.runtime.set(world.runtime.now() + (second % 2 === 0 ? 500 : -450))
      world.runtime.advance(1_000)
      expect(world.clock.now()).toBe(world.runtime.now())
    }
    expect(world.warned).toEqual([])
  })

  it.each([
    ['a year ahead', year],
    ['a year back', -year],
    ['two minutes ahead', 2 * minute],
  ])('goes on when the machine’s clock jumps %s and back, and says by how far', (_, byMs) => {
    using world = start()
    world.runtime.advance(minute)
    world.runtime.set(world.runtime.now() + byMs)
    world.runtime.advance(5 * minute)
    expect(world.wrongByMs()).toBe(0)
    expect(world.clock.isSettled()).toBe(false)
    expect(world.clock.aheadMs()).toBe(byMs)
    world.runtime.set(world.runtime.now() - byMs)
    world.runtime.advance(60 * minute)
    expect(world.wrongByMs()).toBe(0)
    expect(world.clock.isSettled()).toBe(true)
    expect(world.warned).toEqual([byMs, -byMs])
    expect(world.counted()).toBe(2)
  })

  it('follows a clock that stays where it jumped to, and starts to wait again when it jumps once more', () => {
    using world = start()
    world.runtime.set(world.runtime.now() + 3 * day)
    world.runtime.advance(9 * minute)
    world.runtime.set(world.runtime.now() + day)
    world.runtime.advance(9 * minute)
    expect(world.wrongByMs()).toBe(0)
    world.runtime.advance(2 * minute)
    expect(world.wrongByMs()).toBe(4 * day)
    expect(world.clock.isSettled()).toBe(true)
    expect(world.warned).toEqual([3 * day, day, 4 * day])
  })

  it.each([
    ['a year ahead', year],
    ['a year back', -year],
  ])('ends no session, no invite and no link when it was %s for hours', (_, byMs) => {
    using world = start()
    const { refreshToken, token, link } = signUp(world)
    world.runtime.set(world.runtime.now() + byMs)
    world.runtime.advance(5 * 60 * minute)
    expect(world.wrongByMs()).toBe(byMs)
    const during = world.platform.sessions.start(userId, world.clock.now())
    world.runtime.set(world.runtime.now() - byMs)
    world.runtime.advance(5 * 60 * minute)
    expect(world.wrongByMs()).toBe(0)
    const now = world.clock.now()
    expect(world.platform.sessions.userOf(during.sessionId, now)).toBe(userId)
    expect(world.platform.sessions.refresh(refreshToken, now)).toMatchObject({ userId })
    expect(() => world.platform.invites.accept(token, userId, now)).not.toThrow()
    expect(() => world.platform.passwordLinks.find(link, now)).not.toThrow()
    // And none lasts longer than a new one.
    world.runtime.advance(31 * day)
    expect(world.platform.sessions.userOf(during.sessionId, world.clock.now())).toBeUndefined()
    expect(() => world.platform.invites.accept(token, userId, world.clock.now())).toThrow('no longer valid')
    expect(() => world.platform.passwordLinks.find(link, world.clock.now())).toThrow('no such link')
  })

  it.each([
    ['ahead', year],
    ['back', -year],
  ])('ends no mailed link when it is set a year %s, and none lasts longer than a new one', (_, byMs) => {
    using world = start()
    const { mailed, address } = signUp(world)
    const { passwordLinks, addressChanges } = world.platform
    const ends = () => {
      const now = world.clock.now()
      return [() => passwordLinks.find(mailed, now), () => addressChanges.find(userId, address, now)]
    }
    world.runtime.set(world.runtime.now() + byMs)
    world.runtime.advance(30 * minute)
    expect(world.wrongByMs()).toBe(byMs)
    for (const find of ends()) expect(find).not.toThrow()
    world.runtime.advance(61 * minute)
    for (const find of ends()) expect(find).toThrow('is too old')
    expect(passwordLinks.mailedSince(userId, world.clock.now() - 60 * minute)).toBe(0)
  })

  it('takes no old refresh token for a repeated one after the clock was ahead', () => {
    using world = start()
    const { refreshToken } = signUp(world)
    world.runtime.set(world.runtime.now() + year)
    world.runtime.advance(60 * minute)
    world.platform.sessions.refresh(refreshToken, world.clock.now())
    world.runtime.set(world.runtime.now() - year)
    world.runtime.advance(60 * minute)
    const reused = world.platform.sessions.refresh(refreshToken, world.clock.now())
    expect(reused).toHaveProperty('ended')
  })

  it('removes nothing by age before it is settled, and what has expired afterwards', () => {
    using world = start()
    signUp(world)
    const removals: number[] = []
    world.platform.tidy = (now) => void removals.push(now)
    world.runtime.set(world.runtime.now() + year)
    world.runtime.advance(9 * minute)
    expect(removals).toEqual([])
    world.runtime.set(world.runtime.now() - year)
    world.runtime.advance(2 * minute)
    expect(removals).toHaveLength(1)
  })

  describe('at a start', () => {
    it.each([
      ['a year ahead', year],
      ['a year back', -year],
    ])('goes on from the time that it knows when the machine’s clock is %s', (_, offMs) => {
      let given: ReturnType<typeof signUp>
      {
        using first = start()
        given = signUp(first)
        first.runtime.advance(minute)
      }
      {
        using wrong = start({ elapsedMs: 2 * minute, offMs })
        expect(Math.abs(wrong.wrongByMs())).toBeLessThanOrEqual(minute)
        expect(wrong.warned).toEqual([offMs + minute])
        expect(wrong.counted()).toBe(1)
        expect(wrong.platform.sessions.idByToken(given.refreshToken, wrong.clock.now())).toBeDefined()
      }
      using right = start({ elapsedMs: 5 * minute })
      expect(right.wrongByMs()).toBe(0)
      expect(right.warned).toEqual([])
      const now = right.clock.now()
      expect(right.platform.sessions.refresh(given.refreshToken, now)).toMatchObject({ userId })
      expect(() => right.platform.invites.accept(given.token, userId, now)).not.toThrow()
    })

    it('ends nothing when the clock was wrong at the start for hours', () => {
      let given: ReturnType<typeof signUp>
      {
        using first = start()
        given = signUp(first)
      }
      {
        using wrong = start({ elapsedMs: minute, offMs: year })
        wrong.runtime.advance(3 * 60 * minute)
        expect(wrong.wrongByMs()).toBe(year)
      }
      using right = start({ elapsedMs: 4 * 60 * minute })
      right.runtime.advance(3 * 60 * minute)
      expect(right.wrongByMs()).toBe(0)
      const now = right.clock.now()
      expect(right.platform.sessions.refresh(given.refreshToken, now)).toMatchObject({ userId })
      expect(() => right.platform.invites.accept(given.token, userId, now)).not.toThrow()
    })

    it('believes the clock of the machine after a night off, and with a new database', () => {
      {
        using first = start({ offMs: -20 * year })
        expect(first.warned).toEqual([])
        first.runtime.advance(minute)
      }
      using second = start({ elapsedMs: day, offMs: -20 * year })
      expect(second.wrongByMs()).toBe(-20 * year)
      expect(second.warned).toEqual([])
    })

    it('knows the newest time of a database from before times were stored', () => {
      {
        using first = start()
        signUp(first)
        first.platform.storedTimes.note = () => {}
      }
      using wrong = start({ elapsedMs: minute, offMs: year })
      expect(wrong.warned).toHaveLength(1)
    })
  })
})
