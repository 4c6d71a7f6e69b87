import { opKey, type TreeId, type UserId } from '@t69/protocol'
import type { OpLog } from '@t69/server'

import type { Device } from './device.ts'

/** Who has committed each operation: in the present log, and in those that restores have taken away. */
export type Committers = Map<string, Set<UserId>>

/** The same log; notes who commits what. */
export function noteCommitters(log: OpLog, committers: Committers): OpLog {
  return {
    ...log,
    get logId() {
      return log.logId
    },
    get head() {
      return log.head
    },
    get epoch() {
      return log.epoch
    },
    get bytes() {
      return log.bytes
    },
    get access() {
      return log.access
    },
    append(contributions, now) {
      const range = log.append(contributions, now)
      for (const { userId, ops } of contributions) {
        for (const op of ops) {
          const users = committers.get(opKey(op)) ?? new Set()
          committers.set(opKey(op), users.add(userId))
        }
      }
      return range
    },
  }
}

/**
 * Says which device names a wrong author, or none, for an operation of the log that it shows. Where no server has lost
 * history, only one user has committed each operation. Where one has, also those who brought it back have, and a device
 * names whom it has heard of first; all of its tabs name the same.
 */
export function wrongAuthor(
  { name, tabs }: Device,
  inLog: ReadonlySet<string>,
  committers: Committers,
): string | undefined {
  const named = new Map<string, UserId>()
  for (const { space, trees } of tabs) {
    for (const tree of space === null ? [] : trees) {
      const treeId = tree.root?.id as TreeId
      for (const { id } of tree.getAllOps()) {
        const op = { treeId, clock: id.counter, peerId: id.peerId }
        const key = `${treeId}/${id.counter}@${id.peerId}`
        if (!inLog.has(key)) continue
        const author = space?.authorOf(op)?.userId
        if (author === undefined) return `${name} does not know who committed ${key}`
        if (committers.get(key)?.has(author) !== true) return `${name} says that ${author} committed ${key}`
        const other = named.get(key)
        if (other !== undefined && other !== author) return `the tabs of ${name} name two authors of ${key}`
        named.set(key, author)
      }
    }
  }
  return undefined
}
