import { spaceIdSchema, userIdSchema, type Presence } from '@t69/protocol'
import { expect, it } from 'vitest'

import { createSpacePresence } from './space-presence.ts'

const spaceId = spaceIdSchema.parse('ab'.repeat(16))
const at = (cursor: number): Presence => ({
  connectionId: 'one',
  user: { id: userIdSchema.parse('aa'.repeat(16)), name: 'Anna' },
  state: { cursor },
})

it('shows the same array until somebody comes, goes or changes, however often it is named', () => {
  const presence = createSpacePresence(spaceId, () => {})
  const told: (readonly Presence[])[] = []
  presence.listeners.add((present) => told.push(present))
  const name = (...present: Presence[]) => {
    presence.named(present)
    presence.show(true)
    return presence.shown
  }
  const first = name(at(1))
  expect(name(at(1))).toBe(first)
  const moved = name(at(2))
  expect(moved).toEqual([at(2)])
  expect(name(at(2))).toBe(moved)
  const gone = name()
  expect(gone).toEqual([])
  expect(name()).toBe(gone)
  expect(told).toEqual([first, moved, gone])
})
