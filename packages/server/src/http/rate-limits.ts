import { normalizeIP, type FastifyRateLimitStore, type FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import { SyncError, type UserId, userIdSchema } from '@t69/protocol'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'

import { createWindowCounts } from '../limits/window-counts.ts'
import { bearerTokenOf } from './authenticate.ts'
import type { HttpConfig } from './http-config.ts'
import { noteUser } from './request-log.ts'
import type { HttpApp } from './route.ts'

const minuteMs = 60_000
const quarterHourMs = 15 * minuteMs
/** Mails an hour to one mailbox that strangers may ask for. */
export const mailsPerHour = 5
/** Changes an hour of who gets into an account, each of which is mailed to its address. */
export const changesPerHour = 10

function tooMany(retryAfterMs: number): SyncError {
  return new SyncError('rate_limited', 'Too many requests: try again in a while', { retryAfterMs })
}

/**
 * The limit of every route without one of its own. A signed-in user has one budget for all devices: thousands of users
 * behind one address must not use up each other's. Everybody else counts by address; an IPv6 network of 64 bits counts
 * as one address.
 */
export function rateLimitDefaults(app: HttpApp, config: HttpConfig, monotonic: () => number) {
  const perUser = createAttempts(config.rateLimits.requestsPerUser, minuteMs, monotonic)
  return {
    max: config.rateLimits.requestsPerAddress,
    timeWindow: minuteMs,
    // The plugin's own store goes by the clock of the machine, and refuses for a year when that is set back by one.
    store: storeBy(monotonic),
    errorResponseBuilder: (_request: FastifyRequest, { ttl }: { ttl: number }) => tooMany(ttl),
    // The plugin has no other place that says which requests it should not count.
    allowList: (request: FastifyRequest): boolean => {
      const userId = signedUserOf(app, request)
      if (userId === undefined) return false
      noteUser(request, userId)
      perUser.take(userId)
      return true
    },
  }
}

/** A store for the plugin, which makes one of a class, and a child of it for each route. All have windows of a minute. */
function storeBy(monotonic: () => number): FastifyRateLimitStoreCtor {
  return class Store implements FastifyRateLimitStore {
    readonly #counts = createWindowCounts(minuteMs, monotonic)

    incr(key: string, callback: Parameters<FastifyRateLimitStore['incr']>[1]): void {
      const { count, leftMs } = this.#counts.take(key)
      callback(null, { current: count, ttl: leftMs })
    }

    child(): Store {
      return new Store()
    }
  }
}

/**
 * The user of an access token, by its signature alone. An expired token counts too: this only chooses a budget, and an
 * old token uses up its own user's.
 */
function signedUserOf(app: HttpApp, request: FastifyRequest): UserId | undefined {
  const token = bearerTokenOf(request)
  if (token === undefined) return undefined
  try {
    return subjectSchema.parse(app.jwt.verify(token, { ignoreExpiration: true })).sub
  } catch {
    return undefined
  }
}

const subjectSchema = z.object({ sub: userIdSchema })

interface Attempts {
  /** Counts an attempt. Throws `rate_limited` beyond the limit. The returned function takes the attempt back. */
  take(key: string): () => void
}

function createAttempts(max: number, windowMs: number, monotonic: () => number): Attempts {
  const counts = createWindowCounts(windowMs, monotonic)
  return {
    take(key) {
      const { count, leftMs } = counts.take(key)
      if (count > max) throw tooMany(leftMs)
      return () => counts.giveBack(key)
    },
  }
}

/**
 * The limit of renewals, which carry no access token (for the route's `config.rateLimit`). A valid refresh token counts
 * against its user, over all devices: when a server comes back, everybody at an address may renew at once, and more
 * sign-ins must not give a larger budget. Guesses count by address.
 */
export function createRenewalLimit(
  config: HttpConfig,
  monotonic: () => number,
  userOf: (request: FastifyRequest) => UserId | undefined,
) {
  const perUser = createAttempts(config.rateLimits.requestsPerUser, minuteMs, monotonic)
  return {
    // The token may be in the body.
    hook: 'preHandler' as const,
    allowList: (request: FastifyRequest): boolean => {
      const userId = userOf(request)
      if (userId === undefined) return false
      noteUser(request, userId)
      perUser.take(userId)
      return true
    },
  }
}

/** The limit of looking at links, by address: guesses at their tokens must not use up the sign-ins of an address. */
export function createPreviewLimit({ rateLimits }: HttpConfig, monotonic: () => number) {
  const byAddress = createAttempts(rateLimits.signInPerAddress, minuteMs, monotonic)
  return async (request: FastifyRequest): Promise<void> => void byAddress.take(normalizeIP(request.ip))
}

type Work<Result> = () => Promise<Result>

/**
 * The limits of the routes that hash a password, which turn the default one off (`config: { rateLimit: false }`) unless
 * they need a session. Each runs `work` if there are attempts left, and throws `rate_limited`
 * if not. What the server itself failed at costs nobody an attempt.
 *
 * Whoever knows an e-mail address can use up the attempts of strangers at its account. So people who are signed in have
 * attempts of their own, and so has a device that was signed in to the account before.
 */
export interface SignInLimits {
  /** By address. */
  signUp<Result>(request: FastifyRequest, work: Work<Result>): Promise<Result>
  /** Of somebody unknown: by address, in one budget with sign-ups, and by account, from any address. */
  signIn<Result>(request: FastifyRequest, email: string, work: Work<Result>): Promise<Result>
  /** Of a device that was signed in to the account before. */
  signInAgain<Result>(deviceId: string, work: Work<Result>): Promise<Result>
  /** Of somebody unknown who asks for a mail: by address, in one budget with sign-ins, and by mailbox. Throws `rate_limited`. */
  mail(request: FastifyRequest, email: string): void
  /**
   * Of somebody who is signed in, and has a mail sent to an address that they give: by address, by account and by mailbox, which is
   * not the budget of whoever has the mailbox. Throws `rate_limited`.
   */
  mailTo(request: FastifyRequest, userId: UserId, email: string): void
  /**
   * Of somebody who is signed in, and changes who gets into their account: by address, which is not the budget of sign-ins, and by the
   * e-mail address of the account. It is told of each change, and may be a stranger's.
   */
  change<Result>(request: FastifyRequest, email: string, work: Work<Result>): Promise<Result>
  /** Of somebody who is signed in, and gives the password once more. */
  confirm<Result>(caller: { userId: UserId; sessionId: string }, work: Work<Result>): Promise<Result>
}

export function createSignInLimits({ rateLimits }: HttpConfig, monotonic: () => number): SignInLimits {
  const { signInPerAddress, signInPerAccount } = rateLimits
  const byAddress = createAttempts(signInPerAddress, minuteMs, monotonic)
  const perQuarterHour = (): Attempts => createAttempts(signInPerAccount, quarterHourMs, monotonic)
  const byAccount = perQuarterHour()
  const byDevice = perQuarterHour()
  const bySession = perQuarterHour()
  const mailsAnHour = (): Attempts => createAttempts(mailsPerHour, 4 * quarterHourMs, monotonic)
  const byMailbox = mailsAnHour()
  const byAsker = mailsAnHour()
  const byNewAddress = mailsAnHour()
  const changesByAddress = createAttempts(signInPerAddress, minuteMs, monotonic)
  const changesByMailbox = createAttempts(changesPerHour, 4 * quarterHourMs, monotonic)

  async function attempt<Result>(taken: readonly (() => void)[], work: Work<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      if (isOwnFailure(error)) for (const giveBack of taken) giveBack()
      throw error
    }
  }

  return {
    signUp: async (request, work) => attempt([byAddress.take(normalizeIP(request.ip))], work),
    signIn: async (request, email, work) =>
      attempt([byAddress.take(normalizeIP(request.ip)), byAccount.take(email)], work),
    signInAgain: async (deviceId, work) => attempt([byDevice.take(deviceId)], work),
    mail(request, email) {
      byAddress.take(normalizeIP(request.ip))
      byMailbox.take(email)
    },
    mailTo(request, userId, email) {
      byAddress.take(normalizeIP(request.ip))
      byAsker.take(userId)
      byNewAddress.take(email)
    },
    change: async (request, email, work) =>
      attempt([changesByAddress.take(normalizeIP(request.ip)), changesByMailbox.take(email)], work),
    confirm: async ({ userId, sessionId }, work) => attempt([bySession.take(`${userId} ${sessionId}`)], work),
  }
}

function isOwnFailure(error: unknown): boolean {
  if (!(error instanceof SyncError)) return true
  return error.code === 'unavailable' || error.code === 'storage_failed' || error.code === 'internal'
}
