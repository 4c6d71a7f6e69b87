import type { SpaceId, UserId } from '@t69/protocol'
import { LRUCache } from 'lru-cache'

import type { SpacePayers } from '../ports/space-payers.ts'
import { type Headroom, unlimitedHeadroom } from './admit.ts'

export interface QuotaLimits {
  /** Operations in one space. */
  readonly spaceOps: number
  /** Bytes of one space's file. */
  readonly spaceBytes: number
  /** Bytes of all spaces' files that count against one user. */
  readonly userBytes: number
}

/** Decides how much a space may still take. */
export interface Quotas {
  /** The headroom of a space whose log holds `held`. */
  roomIn(spaceId: SpaceId, held: { readonly ops: number; readonly bytes: number }): Headroom
  /** Counts about `bytes` that a commit added to the space's log. Never throws: the commit has happened. */
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

/** How long the count of a user's files is used, in ms. Pushes in between are added to it. */
const recountMs = 60_000

/** Users whose usage is remembered. */
const maxRemembered = 10_000

interface Usage {
  bytes: number
  readonly countedAt: number
}

/**
 * Quotas need no bookkeeping: the head of a log is its number of operations, and files have a size. Deletes are taken
 * until twice the quota. Since nothing leaves a log they take space too, but nobody needs more deletes than there is
 * to delete. Moves that undo a delete are taken until three times the quota, so that the last delete can be undone too.
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

  /** A file that cannot be read counts 0 bytes: its failure must not affect the payer's other spaces. */
  function sizeOf(spaceId: SpaceId): number {
    try {
      return bytesOf(spaceId)
    } catch {
      return 0
    }
  }

  /** Undefined if it cannot be found out, too: bytes that are not added now are counted within a minute. */
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
