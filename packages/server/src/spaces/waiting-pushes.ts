import type { UserId } from '@t69/protocol'

import type { Push, PushOutcome } from './space.ts'

export interface WaitingPush {
  readonly push: Push
  readonly settle: (outcome: PushOutcome) => void
}

/** The pushes to one space that wait to be committed. Those of one user keep their order. */
export interface WaitingPushes {
  readonly size: number
  add(waiting: WaitingPush): void
  /** Takes the next group: a push of each user in turn, so that nobody waits for all that somebody else pushes. */
  takeGroup(): readonly WaitingPush[]
  takeAll(): readonly WaitingPush[]
}

/** What a group takes at most, unless it is one push. The others in the space wait for it. */
const maxGroupBytes = 1024 * 1024
const maxGroupOps = 2_000

export function createWaitingPushes(): WaitingPushes {
  /** Whoever is next comes first. */
  const byUser = new Map<UserId, WaitingPush[]>()
  let size = 0

  function addLast(userId: UserId, pushes: WaitingPush[]): void {
    byUser.delete(userId)
    if (pushes.length > 0) byUser.set(userId, pushes)
  }

  return {
    get size() {
      return size
    },
    add: (waiting) => {
      const { userId } = waiting.push
      const pushes = byUser.get(userId)
      if (pushes === undefined) byUser.set(userId, [waiting])
      else pushes.push(waiting)
      size++
    },
    takeGroup: () => {
      const group: WaitingPush[] = []
      let bytes = 0
      let ops = 0
      for (;;) {
        const [userId, pushes = []] = byUser.entries().next().value ?? []
        const [first] = pushes
        if (userId === undefined || first === undefined) break
        bytes += first.push.batch.byteLength
        ops += first.push.count
        if (group.length > 0 && (bytes > maxGroupBytes || ops > maxGroupOps)) break
        group.push(first)
        pushes.shift()
        addLast(userId, pushes)
      }
      size -= group.length
      return group
    },
    takeAll: () => {
      const all = [...byUser.values()].flat()
      byUser.clear()
      size = 0
      return all
    },
  }
}
