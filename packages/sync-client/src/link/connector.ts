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

/** Why a pending attempt is made soon: somebody looks at the page again, or edits, or the browser reports a network. */
export type WakeCause = 'somebody' | 'edit' | 'network'

/** The state of the connection that all spaces share. */
export interface LinkReport {
  readonly phase: 'connecting' | 'open' | 'offline' | 'signed-out' | 'blocked'
  readonly error: ErrorBody | null
}

/** Keeps one connection open between `start` and `stop`: reconnects after failures, each time with a valid token. */
export interface Connector {
  readonly report: LinkReport
  start(): void
  stop(): void
  /**
   * Makes a pending attempt soon, but not before the time that the server named. Asks a connection that is open but
   * has been silent for a sign of life, and gives it up if it has been silent for too long; after an edit it need not.
   */
  wake(cause: WakeCause): void
  /** The browser reports no network: gives an open connection up now, without waiting for it to fall silent. */
  doubt(): void
  /** The server refused the token of an open connection: reconnects with a fresh one. */
  renew(): void
}

export interface ConnectorDeps {
  readonly transport: Transport
  readonly runtime: Runtime
  readonly account: OpenLinkDeps['account']
}

/**
 * The longest that a woken attempt waits, in ms. A person may try almost at once; a network comes back for everyone
 * behind it in the same moment; and whoever edits goes on editing, each time for another attempt.
 */
const wakeSpreadMs: Readonly<Record<WakeCause, number>> = { somebody: 200, edit: 5_000, network: 2_000 }
/** Lifetime of a connection after which the next failure or refusal counts as the first, in ms. */
const stableAfterMs = 10_000

/** `retry-after` is set while the time that the server named for the next attempt has not come. */
type TimerName = 'retry' | WakeCause | 'retry-after' | 'stable'

export function createConnector(deps: ConnectorDeps, listener: ConnectorListener): Connector {
  const { transport, runtime, account } = deps
  const timers = createNamedTimers<TimerName>(runtime)
  let report: LinkReport = { phase: 'connecting', error: null }
  /** The number of the current attempt. Late reports of earlier attempts are ignored. */
  let current = 0
  let connection: Connection | null = null
  let link: OpenLink | null = null
  let failures = 0
  /** How often in a row the token was refused, at the handshake or soon after it. */
  let refusals = 0
  /** An attempt is scheduled. */
  let isWaiting = false

  const handlers: NotificationHandlers = {
    ...listener.notified,
    'auth:expiring': () => void link?.renewToken(),
  }

  function setPhase(phase: LinkReport['phase']): void {
    report = { phase, error: null }
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
    let openedEarly = false
    const made = transport.connect(
      { token: access.token, protocolVersion },
      {
        opened() {
          if (number !== current) return
          if (connection === null) openedEarly = true
          else opened(access)
        },
        notified(name, payload) {
          if (number === current) handlers[name](payload)
        },
        closed: (error) => void (number === current && ended(error)),
      },
    )
    // It may have failed before `connect` returned.
    if (number !== current) return made.close()
    connection = made
    if (openedEarly) opened(access)
  }

  function opened(access: AccessToken): void {
    if (connection === null) return
    timers.set('stable', () => (failures = refusals = 0), stableAfterMs)
    link = openLink(connection, access, { runtime, account, onFailed: ended })
    setPhase('open')
    if (link !== null) listener.opened(link)
  }

  /** Ends the attempt or the connection, reports that once, and schedules the next attempt. */
  function ended(error: ErrorBody): void {
    const wasOpen = drop()
    const phase = error.code === 'unsupported_version' ? 'blocked' : 'offline'
    report = { phase, error: error.code === 'unavailable' ? null : error }
    if (wasOpen) listener.lost()
    listener.changed()
    if (phase === 'blocked') return
    if (error.code === 'unauthenticated') {
      account.invalidate()
      // The first retry comes at once, with a fresh token. If the session has ended, the refresh says so.
      if (refusals++ === 0) return void attempt()
    }
    isWaiting = true
    const { retryAfterMs = 0 } = error
    const delayMs = backoffMs(failures++, runtime, retryAfterMs)
    timers.set('retry', () => void attempt(), delayMs)
    if (retryAfterMs > 0) timers.set('retry-after', () => {}, Math.min(retryAfterMs, delayMs))
  }

  /** Closes what there is, without a report. Returns whether a connection was open. */
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
      if (drop()) listener.lost()
      failures = 0
      refusals = 0
      setPhase('connecting')
      void attempt()
    },
    stop() {
      if (drop()) listener.lost()
    },
    wake(cause) {
      // An edit is sent, which shows as well whether the connection is alive.
      if (cause !== 'edit') link?.check()
      // Set beside the pending attempt, which may come sooner; and only once, however often somebody looks or edits.
      if (!isWaiting || timers.has('retry-after') || timers.has(cause)) return
      timers.set(cause, () => void attempt(), runtime.random() * wakeSpreadMs[cause])
    },
    doubt() {
      if (link !== null) ended(lost)
    },
    renew() {
      if (link !== null) ended({ code: 'unauthenticated', message: 'The access token was refused' })
    },
  }
}
