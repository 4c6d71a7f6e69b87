import {
  errorBodyFrom,
  protocolVersion,
  type ErrorBody,
  type NotificationName,
  type NotificationPayload,
} from '@t69/protocol'

import type { AccessToken } from '../account/index.ts'
import { backoffMs, createNamedTimers, type Runtime } from '../runtime/index.ts'
import { lost, openLink, type Link, type OpenLink, type OpenLinkDeps } from './open-link.ts'
import type { Connection, Transport } from './transport.ts'

type NotificationHandlers = {
  readonly [N in NotificationName]: (payload: NotificationPayload<N>) => void
}

export interface ConnectorListener {
  opened(link: Link): void
  lost(): void
  readonly notified: Omit<NotificationHandlers, 'auth:expiring'>
  /** `report` has changed. */
  changed(): void
}

/** Why a pending attempt is made soon: someone looks at the page again, or the network is said to be back. */
export type WakeCause = 'somebody' | 'network'

/** What is known of the connection that all spaces share. */
export interface LinkReport {
  readonly phase: 'connecting' | 'open' | 'offline' | 'signed-out' | 'blocked'
  readonly error: ErrorBody | null
}

/** Keeps one connection open: tries again for as long as it is started, with a token that is good. */
export interface Connector {
  readonly report: LinkReport
  start(): void
  stop(): void
  /**
   * Makes a pending attempt soon, though not before the time that the server named. A connection that is open but
   * has been silent is asked for a sign of life, and given up when it cannot be alive any more.
   */
  wake(cause: WakeCause): void
  /** The network is said to be gone: gives an open connection up now, not once it has been silent for long. */
  doubt(): void
  /** The server refused the token of an open connection: connects anew with a fresh one. */
  renew(): void
}

export interface ConnectorDeps {
  readonly transport: Transport
  readonly runtime: Runtime
  readonly account: OpenLinkDeps['account']
}

/**
 * In milliseconds: the longest that a wake waits before its attempt. One person may try at once; when a network
 * comes back, it does so for everyone behind it.
 */
const wakeSpreadMs: Readonly<Record<WakeCause, number>> = { somebody: 200, network: 2_000 }
/** In milliseconds. After a connection that lived this long, the next failure counts as the first. */
const stableAfterMs = 10_000

/** `told`: the server named a time for the next attempt, which has not come. */
type TimerName = 'retry' | 'wake' | 'told' | 'stable'

export function createConnector(deps: ConnectorDeps, listener: ConnectorListener): Connector {
  const { transport, runtime, account } = deps
  const timers = createNamedTimers<TimerName>(runtime)
  let report: LinkReport = { phase: 'connecting', error: null }
  /** Counts attempts; what an earlier one reports late is ignored. */
  let current = 0
  let connection: Connection | null = null
  let link: OpenLink | null = null
  let failures = 0
  let refusals = 0
  /** For the next attempt. */
  let isWaiting = false

  const handlers: NotificationHandlers = {
    ...listener.notified,
    'auth:expiring': () => void link?.renewToken(),
  }

  function say(phase: LinkReport['phase'], error: ErrorBody | null = null): void {
    report = { phase, error }
    listener.changed()
  }

  async function attempt(): Promise<void> {
    const number = ++current
    isWaiting = false
    timers.cancelAll()
    let access: AccessToken
    try {
      access = await account.accessToken()
    } catch (error) {
      if (number === current) ended(errorBodyFrom(error))
      return
    }
    if (number !== current) return
    const made = transport.connect(
      { token: access.token, protocolVersion },
      {
        opened: () => void (number === current && opened(access)),
        notified(name, payload) {
          if (number === current) handlers[name](payload)
        },
        closed: (error) => void (number === current && ended(error)),
      },
    )
    // It may have failed already, before it was known here.
    if (number === current) connection = made
    else made.close()
  }

  function opened(access: AccessToken): void {
    if (connection === null) return
    refusals = 0
    timers.set('stable', () => (failures = 0), stableAfterMs)
    link = openLink(connection, access, { runtime, account, onFailed: ended })
    say('open')
    if (link !== null) listener.opened(link)
  }

  /** The attempt, or the connection, is over. Says so once, and sees to the next. */
  function ended(error: ErrorBody): void {
    const wasOpen = drop()
    const phase = error.code === 'unsupported_version' ? 'blocked' : 'offline'
    report = { phase, error: error.code === 'unavailable' ? null : error }
    if (wasOpen) listener.lost()
    listener.changed()
    if (phase === 'blocked') return
    if (error.code === 'unauthenticated') {
      account.invalidate()
      // Once at once, with a fresh token. If there is no session any more, the refresh says so.
      if (refusals++ === 0) return void attempt()
    }
    isWaiting = true
    const { retryAfterMs = 0 } = error
    const delayMs = backoffMs(failures++, runtime, retryAfterMs)
    timers.set('retry', () => void attempt(), delayMs)
    if (retryAfterMs > 0) timers.set('told', () => {}, Math.min(retryAfterMs, delayMs))
  }

  /** Returns whether a connection was open. */
  function drop(): boolean {
    const wasOpen = link !== null
    current++
    isWaiting = false
    timers.cancelAll()
    link?.end()
    link = null
    connection?.close()
    connection = null
    return wasOpen
  }

  return {
    get report() {
      return report
    },
    start() {
      failures = 0
      refusals = 0
      say('connecting')
      void attempt()
    },
    stop() {
      if (drop()) listener.lost()
    },
    wake(cause) {
      link?.check()
      // Beside the pending attempt, which may come sooner; and only once, however often someone looks.
      if (!isWaiting || timers.has('told') || timers.has('wake')) return
      timers.set('wake', () => void attempt(), runtime.random() * wakeSpreadMs[cause])
    },
    doubt() {
      if (link !== null) ended(lost)
    },
    renew() {
      if (link !== null) ended({ code: 'unauthenticated', message: 'The access token was refused' })
    },
  }
}
