import { SyncError, type UserId } from '@t69/protocol'

import { type Budget, costs, operationsPerMs } from './budget.ts'
import { createTokenBucket, type Rate, type TokenBucket } from './token-bucket.ts'
import { createTurnstile } from './turnstile.ts'

/** Limits of one user, over all of the user's connections. */
export interface UserLimitRates {
  readonly requests: Rate
  readonly signals: Rate
  /** Bytes that the user sends, and bytes of the user's signals and presence that others are sent. */
  readonly bytes: Rate
  /** Operations that the user pushes, pulls, or has read for a tree, and other work and its time, counted in operations. */
  readonly operations: Rate
  /** Open connections. */
  readonly sockets: number
  /** Lines in the server's log on the user's account: a full disk harms everybody. */
  readonly logged: Rate
  /** Bytes of presence, as JSON, that the user's connections show in all spaces together. */
  readonly shownBytes: number
}

/** What one user may still do now. */
export interface Allowance extends Budget {
  readonly requests: TokenBucket
  readonly signals: TokenBucket
  readonly bytes: TokenBucket
  readonly logged: TokenBucket
  /** Charges for time of a core, as far as the prices that were charged before do not cover it. */
  spendTime(ms: number): void
  /** True when the user keeps sending though refused, and owes more than the burst of bytes. */
  readonly isFlooding: boolean
  /** Bytes of presence that the user's connections show now. Only the rooms change it. */
  shownBytes: number
  /** Bytes that wait for all of the user's connections together. */
  waitingBytes(): number
}

const mebi = 1024 * 1024

/**
 * The limits for an operator's rates, each a second, with bursts that go with them: large enough to catch up with a
 * large space, or to send a large import, at once.
 */
export function userLimitsOf(perSecond: {
  readonly [Kind in 'requests' | 'signals' | 'bytes' | 'operations' | 'sockets']: number
}): UserLimitRates {
  const rate = (perSecond: number, seconds: number): Rate => ({ perSecond, burst: perSecond * seconds })
  return {
    requests: rate(perSecond.requests, 10),
    signals: rate(perSecond.signals, 4),
    bytes: rate(perSecond.bytes, 16),
    // What a full space takes to send at once, by the time that it takes.
    operations: rate(perSecond.operations, 80),
    sockets: perSecond.sockets,
    logged: { perSecond: 0.1, burst: 100 },
    shownBytes: 4 * mebi,
  }
}

/** Questions of one user to the storage that are under way at once. */
const questionsAtOnce = 4

/**
 * The default limits, far above what writing and reading takes. An operation stands for 5 µs of a core, so one user takes
 * an eighth of a core in the long run.
 */
export const defaultUserLimits = userLimitsOf({
  requests: 500,
  signals: 500,
  bytes: 8 * mebi,
  operations: 25_000,
  sockets: 100,
})

/** The allowances of users. They outlive connections, so that reconnecting does not refill them. */
export interface UserLimits {
  of(userId: UserId): Allowance
  /** Checks that the user may open another connection. Throws `rate_limited`. */
  checkSocket(userId: UserId): void
  connected(userId: UserId, socket: Backlogged): void
  disconnected(userId: UserId, socket: Backlogged): void
  /** Bytes of presence, as JSON, that one user's connections may show in all spaces together. */
  readonly maxShownBytes: number
}

/** Wait after too many connections, in ms. Some may be dead already, and are noticed within this time. */
const socketRetryMs = 30_000

/** How often users are forgotten who are gone and owe nothing, in ms. */
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

export function createUserLimits(rates: UserLimitRates, monotonic: () => number): UserLimits {
  const users = new Map<UserId, User>()
  let sweptAt = monotonic()

  function of(userId: UserId): User {
    const known = users.get(userId)
    if (known !== undefined) return known
    const bytes = createTokenBucket(rates.bytes, monotonic)
    const operations = createTokenBucket(rates.operations, monotonic)
    const turnstile = createTurnstile(questionsAtOnce)
    /** Operations that were charged in advance and whose time was not spent yet. */
    let paid = 0
    const user: User = {
      requests: createTokenBucket(rates.requests, monotonic),
      signals: createTokenBucket(rates.signals, monotonic),
      bytes,
      operations,
      logged: createTokenBucket(rates.logged, monotonic),
      get isFlooding() {
        return bytes.debt > rates.bytes.burst
      },
      checkOperations: () => {
        const retryAfterMs = operations.waitMs()
        if (retryAfterMs === 0) return
        throw new SyncError('rate_limited', 'too many operations for now', { retryAfterMs })
      },
      payer: userId,
      spendOperations: (count) => {
        operations.spend(count)
        paid = Math.max(0, Math.min(paid + count, rates.operations.burst))
      },
      spendTime: (ms) => {
        const count = ms * operationsPerMs
        const covered = Math.min(count, paid)
        paid -= covered
        operations.spend(count - covered)
      },
      inTurn: (ask) => turnstile.run(ask),
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

  /** Forgets users who are gone and owe nothing. Runs when a new user comes, so there are never many. */
  function sweep(): void {
    if (monotonic() - sweptAt < sweepMs) return
    sweptAt = monotonic()
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
