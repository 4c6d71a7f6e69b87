import {
  protocolVersion,
  SyncError,
  type Ack,
  type ErrorBody,
  type NotificationName,
  type NotificationPayload,
  type RequestName,
  type RequestPayload,
  type RequestReply,
  type SignalName,
  type SignalPayload,
} from '@t69/protocol'

import type { AccessToken } from '../account/index.ts'
import { backoffMs, type Runtime } from '../runtime/index.ts'
import type { Connection, Transport } from './transport.ts'

/** An open connection, until `lost`. */
export interface Link {
  request<N extends RequestName>(name: N, payload: RequestPayload<N>): Promise<Ack<RequestReply<N>>>
  signal<N extends SignalName>(name: N, payload: SignalPayload<N>): void
}

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

/** Somebody looks at the page again, or the network is said to be back. */
export type WakeCause = 'somebody' | 'network'

/** What the connection that all spaces share says of itself. */
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
   * A pending attempt is made soon, though not before the time that the server named. A connection that has
   * been silent is asked for a sign of life, and given up when it cannot be alive any more.
   */
  wake(cause: WakeCause): void
  /** The network is said to be gone: what is open is given up now, not when it has been silent for long. */
  doubt(): void
  /** The server refused the token in the midst of things: connects anew with a fresh one. */
  renew(): void
}

export interface ConnectorDeps {
  readonly transport: Transport
  readonly runtime: Runtime
  readonly session: { accessToken(): Promise<AccessToken>; invalidate(): void }
}

/** An answer that takes longer says that nobody is there any more. */
const requestDeadlineMs = 30_000
/** The same, when there is a reason to doubt: the device slept, or was elsewhere. */
const signOfLifeDeadlineMs = 10_000
/** Whoever was heard so lately needs no asking. */
const heardLatelyMs = 5_000
/**
 * How soon a wake makes an attempt, at the latest. One person may have it at once; a network that is back is
 * back for everybody in the house.
 */
const wakeSpreadMs: Readonly<Record<WakeCause, number>> = { somebody: 200, network: 2_000 }
/** A connection that lived this long was a good one: the next failure is the first. */
const stableAfterMs = 10_000

export function createConnector(deps: ConnectorDeps, listener: ConnectorListener): Connector {
  const { transport, runtime, session } = deps
  let report: LinkReport = { phase: 'connecting', error: null }
  /** Counts attempts; what an earlier one reports late is ignored. */
  let current = 0
  let connection: Connection | null = null
  let open = false
  let failures = 0
  let refusals = 0
  let waiting = false
  const timers = new Map<TimerName, () => void>()

  const handlers: NotificationHandlers = {
    ...listener.notified,
    'auth:expiring': () => void renewToken(current),
  }

  function setTimer(name: TimerName, callback: () => void, delayMs: number): void {
    timers.get(name)?.()
    const fire = (): void => {
      timers.delete(name)
      callback()
    }
    timers.set(name, runtime.setTimer(fire, delayMs))
  }

  function cancelTimers(): void {
    for (const cancel of timers.values()) cancel()
    timers.clear()
  }

  function say(phase: LinkReport['phase'], error: ErrorBody | null = null): void {
    report = { phase, error }
    listener.changed()
  }

  async function attempt(): Promise<void> {
    const number = ++current
    waiting = false
    cancelTimers()
    let access: AccessToken
    try {
      access = await session.accessToken()
    } catch (error) {
      if (number === current) ended(bodyOf(error))
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
    const number = current
    open = true
    refusals = 0
    setTimer('stable', () => (failures = 0), stableAfterMs)
    setTimer('renew', () => void renewToken(number), access.renewInMs)
    watch()
    say('open')
    listener.opened({
      request: (name, payload) => request(number, name, payload),
      signal(name, payload) {
        if (number === current) connection?.signal(name, payload)
      },
    })
  }

  async function request<N extends RequestName>(
    number: number,
    name: N,
    payload: RequestPayload<N>,
    deadlineMs = requestDeadlineMs,
  ): Promise<Ack<RequestReply<N>>> {
    if (number !== current || connection === null) return { ok: false, error: lost }
    const cancel = runtime.setTimer(() => {
      if (number !== current) return
      connection?.close()
      ended({ code: 'unavailable', message: `The server did not answer ${name} in time` })
    }, deadlineMs)
    const ack = await connection.request(name, payload)
    cancel()
    return ack
  }

  /**
   * Timers stand still while a device sleeps, those of the transport too; the wall clock does not. Looks often
   * enough that a connection that died meanwhile is given up soon after, with no event to say so.
   */
  function watch(): void {
    const boundMs = connection?.silence?.().boundMs ?? Number.POSITIVE_INFINITY
    if (!Number.isFinite(boundMs)) return
    const look = (): void => {
      if (isDead()) ended(lost)
      else setTimer('watch', look, boundMs / 3)
    }
    setTimer('watch', look, boundMs / 3)
  }

  /** Nothing was heard for longer than a living server stays silent. */
  function isDead(): boolean {
    const silence = connection?.silence?.()
    return silence !== undefined && silence.forMs > silence.boundMs
  }

  /** Shows the server the token that is good now, which it has to answer. */
  async function askForSignOfLife(number: number): Promise<void> {
    const silence = connection?.silence?.()
    if (silence !== undefined && silence.forMs >= 0 && silence.forMs < heardLatelyMs) return
    await renewToken(number, { deadlineMs: signOfLifeDeadlineMs, anew: false })
  }

  /** A good token for the connection that is open, a fresh one in good time before the old one runs out. */
  async function renewToken(
    number: number,
    { deadlineMs, anew } = { deadlineMs: requestDeadlineMs, anew: true },
  ): Promise<void> {
    try {
      if (anew) session.invalidate()
      const access = await session.accessToken()
      if (number !== current || !open) return
      const ack = await request(number, 'auth:renew', { token: access.token }, deadlineMs)
      if (number !== current) return
      if (ack.ok) setTimer('renew', () => void renewToken(number), access.renewInMs)
      else if (ack.error.code === 'forbidden' || ack.error.code === 'unauthenticated') ended(ack.error)
    } catch (error) {
      if (number !== current) return
      if (bodyOf(error).code === 'unauthenticated') ended(bodyOf(error))
      // The network, then: the connection is good for a while yet, and is tried again meanwhile.
      else setTimer('renew', () => void renewToken(number), backoffMs(4, runtime))
    }
  }

  /** The attempt, or the connection, is over. Says so once, and sees to the next. */
  function ended(error: ErrorBody): void {
    const wasOpen = open
    drop()
    const phase = error.code === 'unsupported_version' ? 'blocked' : 'offline'
    report = { phase, error: error.code === 'unavailable' ? null : error }
    if (wasOpen) listener.lost()
    listener.changed()
    if (phase === 'blocked') return
    if (error.code === 'unauthenticated') {
      session.invalidate()
      // Once at once, with a fresh token. That there is no session any more comes back from the refresh.
      if (refusals++ === 0) return void attempt()
    }
    waiting = true
    const { retryAfterMs = 0 } = error
    const delayMs = backoffMs(failures++, runtime, retryAfterMs)
    setTimer('retry', () => void attempt(), delayMs)
    if (retryAfterMs > 0) setTimer('told', () => {}, Math.min(retryAfterMs, delayMs))
  }

  function drop(): void {
    current++
    open = false
    waiting = false
    const dropped = connection
    connection = null
    cancelTimers()
    dropped?.close()
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
      const wasOpen = open
      drop()
      if (wasOpen) listener.lost()
    },
    wake(cause) {
      if (open && isDead()) ended(lost)
      else if (open) void askForSignOfLife(current)
      // Beside the pending attempt, which may come sooner; and only once, however often somebody looks.
      if (!waiting || timers.has('told') || timers.has('wake')) return
      setTimer('wake', () => void attempt(), runtime.random() * wakeSpreadMs[cause])
    },
    doubt() {
      if (open) ended(lost)
    },
    renew() {
      if (open) ended({ code: 'unauthenticated', message: 'The access token was refused' })
    },
  }
}

/** `told`: the server named a time, which is not over. */
type TimerName = 'retry' | 'wake' | 'told' | 'stable' | 'renew' | 'watch'

const lost: ErrorBody = { code: 'unavailable', message: 'The connection was lost' }

function bodyOf(error: unknown): ErrorBody {
  if (error instanceof SyncError) return error.body
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) }
}
