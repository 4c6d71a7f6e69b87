import type { AccessId, RoleName, SpaceId, SpaceIdentity, UserId } from '@t69/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { type AccessEntry, type AccessList, newerEntries, rank, removed } from './access-list.ts'

/** The list of one space at a server, changed as its triggers change it. */
class Timeline {
  readonly ids: string[]
  readonly entries: Map<string, AccessEntry>
  static made = 0

  constructor(from?: Timeline) {
    this.ids = [...(from?.ids ?? [])]
    this.entries = new Map(from?.entries)
  }

  set(userId: string, role: RoleName | null): void {
    const since = `id ${++Timeline.made}` as AccessId
    this.ids.push(since)
    const entry = { userId: userId as UserId, role, since, joinedAt: 0, email: '', name: '' }
    this.entries.set(userId, role === null ? removed(entry, since) : entry)
  }

  list(): AccessList {
    return {
      spaceId: 'space' as SpaceId,
      identity: 'identity' as SpaceIdentity,
      createdAt: 0,
      accessId: this.ids.at(-1) as AccessId,
      accessIds: [...this.ids] as AccessId[],
      entries: [...this.entries.values()],
    }
  }

  merge(theirs: AccessList): void {
    for (const entry of newerEntries(this.list(), theirs, (id) => this.ids.includes(id))) {
      this.entries.set(entry.userId, entry)
    }
    this.ids.push(...theirs.accessIds.filter((id) => !this.ids.includes(id)), `id ${++Timeline.made}`)
  }

  role(userId: string): RoleName | null | undefined {
    return this.entries.get(userId)?.role
  }
}

const users = ['anna', 'ben', 'cleo', 'dora']
const change = fc.tuple(fc.constantFrom(...users), fc.constantFrom('owner', 'editor', 'viewer', null))
const changes = fc.array(change, { maxLength: 8 })

function apply(timeline: Timeline, steps: readonly [string, string | null][]): void {
  for (const [userId, role] of steps) timeline.set(userId, role)
}

describe('[SI6] of two lists of one space', () => {
  it('the one that has seen the other counts, whichever seals come back, in whichever order', () => {
    fc.assert(
      fc.property(
        changes,
        fc.array(change, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 4 }),
        (before, after, order) => {
          const lost = new Timeline()
          lost.set('anna', 'owner')
          apply(lost, before)
          const restored = new Timeline(lost)
          const seals = after.map(([userId, role]) => {
            lost.set(userId, role)
            return lost.list()
          })
          // Devices come back with seals of any age; at last one with the newest.
          for (const at of order) restored.merge(seals[at % seals.length]!)
          restored.merge(seals.at(-1)!)
          for (const userId of users) expect(restored.role(userId)).toBe(lost.role(userId))
        },
      ),
    )
  })

  it('neither brings back whom the other has removed, nor a right that the other has taken', () => {
    fc.assert(
      fc.property(changes, changes, changes, (before, inLost, inRestored) => {
        const lost = new Timeline()
        lost.set('anna', 'owner')
        apply(lost, before)
        const restored = new Timeline(lost)
        apply(lost, inLost)
        apply(restored, inRestored)
        const [theirs, mine] = [new Timeline(lost), new Timeline(restored)]
        restored.merge(lost.list())
        const changedIn = (steps: typeof inLost) => new Set(steps.map(([userId]) => userId))
        const lesser = (userId: string) =>
          [theirs.role(userId) ?? null, mine.role(userId) ?? null].toSorted((a, b) => rank(a) - rank(b))[0]
        const someoneLoses = users.some(
          (userId) =>
            changedIn(inLost).has(userId) &&
            (theirs.role(userId) === null ||
              rank(theirs.role(userId) ?? null) < rank(mine.role(userId) ?? null)) &&
            (!changedIn(inRestored).has(userId) || lesser(userId) !== (mine.role(userId) ?? null)),
        )
        for (const userId of users) {
          const [isLost, isMine] = [changedIn(inLost).has(userId), changedIn(inRestored).has(userId)]
          const here = someoneLoses && isMine ? lesser(userId) : mine.role(userId)
          const expected = isLost && isMine ? lesser(userId) : isLost ? theirs.role(userId) : here
          expect(restored.role(userId) ?? null).toBe(expected ?? null)
        }
      }),
    )
  })

  it('an older one changes nothing', () => {
    const timeline = new Timeline()
    timeline.set('anna', 'owner')
    timeline.set('ben', 'editor')
    const older = timeline.list()
    timeline.set('ben', null)
    expect(newerEntries(timeline.list(), older, (id) => timeline.ids.includes(id))).toEqual([])
  })

  it('one that has forgotten a removal, and has seen the member, still removes them', () => {
    const lost = new Timeline()
    lost.set('anna', 'owner')
    lost.set('ben', 'editor')
    const restored = new Timeline(lost)
    lost.set('ben', null)
    lost.entries.delete('ben')
    restored.merge(lost.list())
    expect(restored.role('ben')).toBeNull()
  })
})
