import {
  errorBodyFrom,
  type Ack,
  type ErrorBody,
  type RequestName,
  type RequestPayload,
  type RequestReply,
  type SignalName,
  type SignalPayload,
} from '@t69/protocol'

import type { AccessToken } from '../account/index.ts'
import { backoffMs, createNamedTimers, type Runtime } from '../runtime/index.ts'
import type { Connection } from './transport.ts'

/** An open connection, until it is lost. */
export interface Link {
  /** `answered` is called once, and in the order of the wire: see `Connection.request`. */
  request<N extends RequestName>(
    name: N,
    payload: RequestPayload<N>,
    answered: (ack: Ack<RequestReply<N>>) => void,
  ): void
  signal<N extends SignalName>(name: N, payload: SignalPayload<N>): void
}

/** An open connection whose token is renewed in time, and whose death is noticed. */
export interface OpenLink extends Link {
  /** Fetches a fresh token and shows it to the server. */
  renewToken(): Promise<void>
  /** Gives the connection up if it has been silent for too long; otherwise asks the server for a sign of life. */
  check(): void
  /** Ends the link: requests fail from now on, and `onFailed` is not called any more. */
  end(): void
}

export interface OpenLinkDeps {
  readonly runtime: Runtime
  readonly account: { accessToken(): Promise<AccessToken>; invalidate(): void }
  /** Called at most once, when the connection has to be given up. */
  readonly onFailed: (error: ErrorBody) => void
}

/** Deadline of a request, in ms. After it, the connection counts as dead. */
const requestDeadlineMs = 30_000
/** Deadline of a sign of life, in ms. Shorter, because the device may have slept or changed its network. */
const signOfLifeDeadlineMs = 10_000
/** A connection that was silent for less than this needs no sign of life, in ms. */
const heardLatelyMs = 5_000

export const lost: ErrorBody = { code: 'unavailable', message: 'The connection was lost' }

/** `renewInMs` is the time until the token that opened the connection should be replaced. */
export function openLink(
  connection: Connection,
  { renewInMs }: AccessToken,
  { runtime, account, onFailed }: OpenLinkDeps,
): OpenLink {
  const timers = createNamedTimers<'renew' | 'watch'>(runtime)
  let isOver = false

  function fail(error: ErrorBody): void {
    if (!isOver) onFailed(error)
  }

  function request<N extends RequestName>(
    name: N,
    payload: RequestPayload<N>,
    answered: (ack: Ack<RequestReply<N>>) => void,
    deadlineMs = requestDeadlineMs,
  ): void {
    if (isOver) return queueMicrotask(() => answered({ ok: false, error: lost }))
    const cancel = runtime.setTimer(
      () => fail({ code: 'unavailable', message: `The server did not answer ${name} in time` }),
      deadlineMs,
    )
    connection.request(name, payload, (ack) => {
      cancel()
      answered(ack)
    })
  }

  /** Shows the server a valid token; with `isFresh`, one that is fetched for this. */
  async function showToken({ deadlineMs, isFresh }: { deadlineMs: number; isFresh: boolean }): Promise<void> {
    try {
      if (isFresh) account.invalidate()
      const access = await account.accessToken()
      if (isOver) return
      const { promise, resolve } = Promise.withResolvers<Ack<RequestReply<'auth:renew'>>>()
      request('auth:renew', { token: access.token }, resolve, deadlineMs)
      const ack = await promise
      if (isOver) return
      if (ack.ok) renewIn(access.renewInMs)
      // `forbidden` is about the token, which is another user's by now, and not about a space.
      else if (ack.error.code === 'forbidden') fail({ code: 'unauthenticated', message: ack.error.message })
      else if (ack.error.code === 'unauthenticated') fail(ack.error)
    } catch (error) {
      const body = errorBodyFrom(error)
      if (body.code === 'unauthenticated') fail(body)
      // Otherwise the network failed. The old token is valid for a while yet: try again before it expires.
      else if (!isOver) renewIn(backoffMs(4, runtime))
    }
  }

  const renewToken = (): Promise<void> => showToken({ deadlineMs: requestDeadlineMs, isFresh: true })

  function renewIn(delayMs: number): void {
    timers.set('renew', () => void renewToken(), delayMs)
  }

  /** Whether the connection was silent for longer than a live server would be. */
  function isDead(): boolean {
    const silence = connection.silence?.()
    return silence !== undefined && silence.forMs > silence.boundMs
  }

  /**
   * Checks the silence by the wall clock. Timers, the transport's own included, stand still while a device sleeps.
   * This runs often enough to give up a dead connection soon after the device wakes, without an event.
   */
  function watchSilence(): void {
    const boundMs = connection.silence?.().boundMs ?? Number.POSITIVE_INFINITY
    if (!Number.isFinite(boundMs)) return
    const watch = (): void => {
      if (isDead()) fail(lost)
      else timers.set('watch', watch, boundMs / 3)
    }
    timers.set('watch', watch, boundMs / 3)
  }

  renewIn(renewInMs)
  watchSilence()

  return {
    request: (name, payload, answered) => request(name, payload, answered),
    signal(name, payload) {
      if (!isOver) connection.signal(name, payload)
    },
    renewToken,
    check() {
      if (isDead()) return fail(lost)
      const silence = connection.silence?.()
      if (silence !== undefined && silence.forMs >= 0 && silence.forMs < heardLatelyMs) return
      // Any request would do: the server has to answer it.
      void showToken({ deadlineMs: signOfLifeDeadlineMs, isFresh: false })
    },
    end() {
      isOver = true
      timers.cancelAll()
    },
  }
}
