import type { SpaceId, UserId } from '@t69/protocol'
import { LRUCache } from 'lru-cache'

import type { SpacePayers } from '../ports/space-payers.ts'
import { type Allotment, type Bounds, unlimitedAllotment } from '../storage/allotment.ts'

export interface QuotaLimits {
  /** Operations in one space. */
  readonly spaceOps: number
  /** Bytes of one space's file. */
  readonly spaceBytes: number
  /** Bytes of all spaces' files that count against one user. */
  readonly userBytes: number
}

/** Decides how much a space may hold. */
export interface Quotas {
  allotmentOf(spaceId: SpaceId): Promise<Allotment>
  /** Counts about `bytes` that a commit added to the space's log. Never throws: the commit has happened. */
  grown(spaceId: SpaceId, bytes: number): void
}

export const noQuotas: Quotas = { allotmentOf: async () => unlimitedAllotment, grown: () => {} }

export interface QuotasOptions {
  readonly limits: QuotaLimits
  readonly payers: SpacePayers
  /** Bytes of the spaces' files. A file that cannot be read counts 0: its failure must not affect the payer's others. */
  readonly bytesOf: (spaceIds: readonly SpaceId[]) => Promise<number>
  /** Milliseconds, of a clock that nobody sets. */
  readonly monotonic: () => number
}

/** How long the count of a user's files is used, in ms. Pushes in between are added to it. */
const recountMs = 60_000

/** How long it is remembered whose quota a space counts against, in ms. Each commit asks twice. */
const payerMs = 1_000

/** Users whose usage is remembered, and spaces whose payer is. */
const maxRemembered = 10_000

interface Usage {
  /** Bytes of the user's files. */
  readonly counted: Promise<number>
  readonly countedAt: number
  addedBytes: number
}

const nothing: Bounds = { ops: 0, bytes: 0 }

/**
 * Quotas need no bookkeeping: the head of a log is its number of operations, and files have a size. Deletes are taken
 * until twice the quota. Since nothing leaves a log they take space too, but nobody needs more deletes than there is
 * to delete. Moves that undo a delete are taken until three times the quota, so that the last delete can be undone too.
 */
export function createQuotas({ limits, payers, bytesOf, monotonic }: QuotasOptions): Quotas {
  const usages = new LRUCache<UserId, Usage>({ max: maxRemembered })
  const knownPayers = new LRUCache<SpaceId, UserId>({
    max: maxRemembered,
    ttl: payerMs,
    ttlResolution: 0,
    perf: { now: monotonic },
  })
  const spaceIsFull = `the space is full: it may take ${sizeInWords(limits.spaceBytes)}`
  const payerIsFull = `the spaces of its owner are full: they may take ${sizeInWords(limits.userBytes)} together`
  const ops = `the space is full: it may hold ${limits.spaceOps} edits`

  function payerOf(spaceId: SpaceId): UserId | undefined {
    const known = knownPayers.get(spaceId)
    if (known !== undefined) return known
    const payer = payers.payerOf(spaceId)
    if (payer !== undefined) knownPayers.set(spaceId, payer)
    return payer
  }

  async function bytesPaidBy(userId: UserId): Promise<number> {
    const known = usages.get(userId)
    const isFresh = known !== undefined && monotonic() - known.countedAt < recountMs
    const usage = isFresh
      ? known
      : { counted: bytesOf(payers.paidBy(userId)), countedAt: monotonic(), addedBytes: 0 }
    usages.set(userId, usage)
    try {
      return (await usage.counted) + usage.addedBytes
    } catch (error) {
      if (usages.peek(userId) === usage) usages.delete(userId)
      throw error
    }
  }

  /** Undefined if it cannot be found out, too: bytes that are not added now are counted within a minute. */
  function usageOfPayer(spaceId: SpaceId): Usage | undefined {
    try {
      const payer = payerOf(spaceId)
      return payer && usages.get(payer)
    } catch {
      return undefined
    }
  }

  return {
    allotmentOf: async (spaceId) => {
      const payer = payerOf(spaceId)
      const paid = payer === undefined ? 0 : await bytesPaidBy(payer)
      const boundsFor = (times: number): Bounds =>
        paid >= limits.userBytes * times
          ? nothing
          : { ops: limits.spaceOps * times, bytes: limits.spaceBytes * times }
      const bytes = paid >= limits.userBytes ? payerIsFull : spaceIsFull
      return { any: boundsFor(1), deletes: boundsFor(2), returns: boundsFor(3), reasons: { bytes, ops } }
    },
    grown: (spaceId, bytes) => {
      const usage = usageOfPayer(spaceId)
      if (usage !== undefined) usage.addedBytes += bytes
    },
  }
}

function sizeInWords(bytes: number): string {
  const isLarge = bytes >= 2 ** 30
  const [unit, size] = [isLarge ? 'GB' : 'MB', isLarge ? 2 ** 30 : 2 ** 20]
  return `${Math.round((bytes / size) * 10) / 10} ${unit}`
}
