import type { UserId } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createManualRuntime } from '../testing/manual-runtime.ts'
import { newUserId } from '../testing/ops.ts'
import { createDoor, type Guest } from './door.ts'

function setUp() {
  const runtime = createManualRuntime()
  const handled: string[] = []
  const spent = new Map<UserId, number>()
  const door = createDoor(runtime, (userId, ms) => spent.set(userId, (spent.get(userId) ?? 0) + ms))
  let guests = 0
  /** A connection whose packets are names, each of which takes so long. */
  function connect(userId = newUserId(), ms = 1) {
    const seen = { isPaused: false, isOver: false }
    const guest: Guest = {
      id: `guest ${++guests}`,
      userId,
      handle: (data) => {
        handled.push(String(data))
        runtime.work(ms)
        runtime.advance(ms)
      },
      pause: () => void (seen.isPaused = true),
      resume: () => void (seen.isPaused = false),
      end: () => {
        seen.isOver = true
        door.left(guest)
      },
    }
    return Object.assign(seen, {
      guest,
      send: (data: string, bytes = data.length) => door.arrived(guest, data, bytes),
    })
  }
  /** Ends turns until nothing waits, and says how many packets each handled. */
  function turns(): number[] {
    const counts = []
    while (door.waiting.packets > 0) {
      const before = handled.length
      runtime.turn()
      counts.push(handled.length - before)
    }
    return counts
  }
  return { door, handled, spent, connect, turns }
}

describe('the door', () => {
  it('handles for a moment in each turn, however much arrives at once and on however many connections', () => {
    const { connect, turns, handled } = setUp()
    const userId = newUserId()
    const crowd = Array.from({ length: 100 }, () => connect(userId))
    for (const [nr, guest] of crowd.entries()) for (let i = 0; i < 3; i++) guest.send(`${nr}.${i}`)
    const counts = turns()
    expect(Math.max(...counts)).toBeLessThanOrEqual(5)
    expect(handled).toHaveLength(300)
    // Each connection's packets in their order.
    for (const nr of crowd.keys()) {
      expect(handled.filter((name) => name.startsWith(`${nr}.`))).toEqual([`${nr}.0`, `${nr}.1`, `${nr}.2`])
    }
  })

  it('handles what has come together in one turn', () => {
    const { connect, turns, handled } = setUp()
    const guest = connect()
    guest.send('the JSON of a message')
    guest.send('its bytes')
    expect(turns()).toEqual([2])
    expect(handled).toEqual(['the JSON of a message', 'its bytes'])
  })

  it('handles next what somebody sends who has had less, and charges each user for the time', () => {
    const { connect, turns, handled, spent } = setUp()
    const [greedy, modest] = [newUserId(), newUserId()]
    for (let nr = 0; nr < 50; nr++) connect(greedy).send('greedy')
    connect(modest).send('modest')
    turns()
    expect(handled.indexOf('modest')).toBeLessThan(3)
    expect([spent.get(greedy), spent.get(modest)]).toEqual([50, 1])
  })

  it('does not read from a user of whom much waits, and goes on once less does', () => {
    const { door, connect, turns } = setUp()
    const [sender, bystander] = [connect(), connect()]
    for (let nr = 0; nr < 3; nr++) sender.send('large', 1_000_000)
    bystander.send('small')
    expect([sender.isPaused, bystander.isPaused]).toEqual([true, false])
    turns()
    expect([sender.isPaused, door.waiting]).toEqual([false, { packets: 0, bytes: 0 }])
  })

  it('ends a connection of a user of whom far too much waits, and drops what waits of it', () => {
    const { connect, turns, handled } = setUp()
    const [sender, bystander] = [connect(), connect()]
    bystander.send('small')
    for (let nr = 0; nr < 6_000; nr++) sender.send('x')
    expect(sender.isOver).toBe(true)
    turns()
    expect(handled).toEqual(['small'])
  })
})
