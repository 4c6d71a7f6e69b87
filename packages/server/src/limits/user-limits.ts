import { SyncError, type UserId } from '@t69/protocol'

import { type Budget, costs } from './budget.ts'
import { createTokenBucket, type Rate, type TokenBucket } from './token-bucket.ts'

/** What one user may cause, over all of their connections. */
export interface UserLimitRates {
  readonly requests: Rate
  readonly signals: Rate
  /** Bytes that the user sends, and those of signals and presence that others are sent for them. */
  readonly bytes: Rate
  /** Operations that the user pushes, pulls, or has the server read for a tree, and what else takes its time. */
  readonly operations: Rate
  readonly sockets: number
  /** What is written to the server's log for the user: a disk that is full of it harms everybody. */
  readonly logged: Rate
  /** JSON that the user's connections show of themselves, in all spaces together. */
  readonly shownBytes: number
}

export interface Allowance extends Budget {
  readonly requests: TokenBucket
  readonly signals: TokenBucket
  readonly bytes: TokenBucket
  readonly logged: TokenBucket
  /** Sends on though refused, and so much that it owes more than it may send at once. */
  readonly isFlooding: boolean
  /** What the user's connections show, in bytes: kept by the rooms. */
  shownBytes: number
  /** What waits for all of the user's connections together. */
  waitingBytes(): number
}

const mebi = 1024 * 1024

/**
 * Rates as an operator states them, a second each, with the bursts that go with them: at once a user may have
 * what a large space takes to be caught up, or a large import to be sent.
 */
export function userLimitsOf(perSecond: {
  readonly [Kind in 'requests' | 'signals' | 'bytes' | 'operations' | 'sockets']: number
}): UserLimitRates {
  const rate = (perSecond: number, seconds: number): Rate => ({ perSecond, burst: perSecond * seconds })
  return {
    requests: rate(perSecond.requests, 10),
    signals: rate(perSecond.signals, 4),
    bytes: rate(perSecond.bytes, 16),
    operations: rate(perSecond.operations, 40),
    sockets: perSecond.sockets,
    logged: { perSecond: 0.1, burst: 100 },
    shownBytes: 4 * mebi,
  }
}

/**
 * Rates that nobody meets who writes and reads. Handling an operation takes about 5 µs: in the long run one
 * user takes an eighth of a core.
 */
export const defaultUserLimits = userLimitsOf({
  requests: 500,
  signals: 500,
  bytes: 8 * mebi,
  operations: 25_000,
  sockets: 100,
})

/** Outlives connections: to connect anew must not be a way to a full purse. */
export interface UserLimits {
  of(userId: UserId): Allowance
  /** Whether a further socket may connect now. Throws `rate_limited`. */
  checkSocket(userId: UserId): void
  connected(userId: UserId, socket: Backlogged): void
  disconnected(userId: UserId, socket: Backlogged): void
  /** JSON that the connections of one user may show of themselves, in all spaces together. */
  readonly maxShownBytes: number
}

/** Whoever has too many sockets may have lost some that nobody has noticed yet. */
const socketRetryMs = 30_000

const sweepMs = 60_000

interface User extends Allowance {
  readonly operations: TokenBucket
  readonly sockets: Set<Backlogged>
}

/** A socket, as far as the limits look at it. */
interface Backlogged {
  /** Bytes that wait for the network. */
  backlogBytes(): number
}

export function createUserLimits(rates: UserLimitRates, now: () => number): UserLimits {
  const users = new Map<UserId, User>()
  let sweptAt = now()

  function of(userId: UserId): User {
    const known = users.get(userId)
    if (known !== undefined) return known
    const bytes = createTokenBucket(rates.bytes, now)
    const operations = createTokenBucket(rates.operations, now)
    const user: User = {
      requests: createTokenBucket(rates.requests, now),
      signals: createTokenBucket(rates.signals, now),
      bytes,
      operations,
      logged: createTokenBucket(rates.logged, now),
      get isFlooding() {
        return bytes.debt > rates.bytes.burst
      },
      checkOperations: () => {
        const retryAfterMs = operations.waitMs()
        if (retryAfterMs === 0) return
        throw new SyncError('rate_limited', 'too many operations for now', { retryAfterMs })
      },
      spendOperations: (count) => operations.spend(count),
      shownBytes: 0,
      sockets: new Set(),
      waitingBytes: () => {
        let bytes = 0
        for (const socket of user.sockets) bytes += socket.backlogBytes()
        return bytes
      },
    }
    sweep()
    users.set(userId, user)
    return user
  }

  /** Forgets who is gone and owes nothing: looked for when somebody new comes, so there is never much of it. */
  function sweep(): void {
    if (now() - sweptAt < sweepMs) return
    sweptAt = now()
    for (const [userId, { sockets, requests, signals, bytes, operations, logged }] of users) {
      if (sockets.size > 0) continue
      const buckets = [requests, signals, bytes, operations, logged]
      if (buckets.every((bucket) => bucket.isFull)) users.delete(userId)
    }
  }

  return {
    of,
    checkSocket: (userId) => {
      const user = of(userId)
      if (user.sockets.size >= rates.sockets) {
        throw new SyncError('rate_limited', `${rates.sockets} connections of this account are open`, {
          retryAfterMs: socketRetryMs,
        })
      }
      if (user.isFlooding) {
        const retryAfterMs = user.bytes.waitMs()
        throw new SyncError('rate_limited', 'this account has sent far too much', { retryAfterMs })
      }
      user.checkOperations()
    },
    connected: (userId, socket) => {
      const user = of(userId)
      user.sockets.add(socket)
      user.spendOperations(costs.connecting)
    },
    disconnected: (userId, socket) => void of(userId).sockets.delete(socket),
    maxShownBytes: rates.shownBytes,
  }
}
