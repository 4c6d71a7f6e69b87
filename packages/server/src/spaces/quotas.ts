import type { SpaceId, UserId } from '@t69/protocol'
import { LRUCache } from 'lru-cache'

import type { SpacePayers } from '../ports/space-payers.ts'
import { type Headroom, unlimitedHeadroom } from './admit.ts'

export interface QuotaLimits {
  /** Operations in one space. */
  readonly spaceOps: number
  /** What the file of one space may take. */
  readonly spaceBytes: number
  /** What the files of all spaces may take that one user pays for. */
  readonly userBytes: number
}

/** What a space may still take. */
export interface Quotas {
  /** For a log that holds so much. */
  roomIn(spaceId: SpaceId, held: { readonly ops: number; readonly bytes: number }): Headroom
  /** A commit has made the space's log about so much larger. Never throws: it is there, whatever fails now. */
  grown(spaceId: SpaceId, bytes: number): void
}

export const noQuotas: Quotas = { roomIn: () => unlimitedHeadroom, grown: () => {} }

export interface QuotasOptions {
  readonly limits: QuotaLimits
  readonly payers: SpacePayers
  readonly bytesOf: (spaceId: SpaceId) => number
  /** Milliseconds. */
  readonly now: () => number
}

/** How long the files of a user are not counted anew; what is pushed meanwhile is added as it comes. */
const recountMs = 60_000

/** Of how many users it is remembered what they take. */
const maxRemembered = 10_000

interface Usage {
  bytes: number
  readonly countedAt: number
}

/**
 * Quotas hold without bookkeeping: the head of a log is its number of operations, and the files say how large
 * they are. Deletes are taken until twice the quota: since nothing leaves a log they take space as well, and
 * nobody needs more of them than there is to delete. What brings back is taken until three times the quota: so
 * each delete that was taken can be undone, the last one too.
 */
export function createQuotas({ limits, payers, bytesOf, now }: QuotasOptions): Quotas {
  const usages = new LRUCache<UserId, Usage>({ max: maxRemembered })

  function usageOf(userId: UserId): Usage {
    const known = usages.get(userId)
    if (known !== undefined && Math.abs(now() - known.countedAt) < recountMs) return known
    const bytes = payers.paidBy(userId).reduce((sum, spaceId) => sum + sizeOf(spaceId), 0)
    const usage = { bytes, countedAt: now() }
    usages.set(userId, usage)
    return usage
  }

  /** A file that cannot be looked at counts nothing: whatever is wrong with it is not for the others to feel. */
  function sizeOf(spaceId: SpaceId): number {
    try {
      return bytesOf(spaceId)
    } catch {
      return 0
    }
  }

  /** Undefined also where nobody can say: what is not added is counted within a minute. */
  function usageOfPayer(spaceId: SpaceId): Usage | undefined {
    try {
      const payer = payers.payerOf(spaceId)
      return payer && usages.get(payer)
    } catch {
      return undefined
    }
  }

  return {
    roomIn: (spaceId, { ops, bytes }) => {
      const payer = payers.payerOf(spaceId)
      const paid = payer === undefined ? 0 : usageOf(payer).bytes
      const left = (times: number) => {
        const isFull = bytes >= limits.spaceBytes * times || paid >= limits.userBytes * times
        return isFull ? 0 : Math.max(0, limits.spaceOps * times - ops)
      }
      return { ops: left(1), deletes: left(2), returns: left(3), reason: reasonOf(bytes, paid) }
    },
    grown: (spaceId, bytes) => {
      const usage = usageOfPayer(spaceId)
      if (usage !== undefined) usage.bytes += bytes
    },
  }

  function reasonOf(bytes: number, paid: number): string {
    if (bytes >= limits.spaceBytes) return `the space is full: it may take ${sizeInWords(limits.spaceBytes)}`
    if (paid < limits.userBytes) return `the space is full: it may hold ${limits.spaceOps} edits`
    return `the spaces of its owner are full: they may take ${sizeInWords(limits.userBytes)} together`
  }
}

function sizeInWords(bytes: number): string {
  const isLarge = bytes >= 2 ** 30
  const [unit, size] = [isLarge ? 'GB' : 'MB', isLarge ? 2 ** 30 : 2 ** 20]
  return `${Math.round((bytes / size) * 10) / 10} ${unit}`
}
