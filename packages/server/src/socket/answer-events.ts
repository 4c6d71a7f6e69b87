import { type ErrorBody, type RequestName, spaceIdSchema, SyncError } from '@t69/protocol'
import { z } from 'zod'

import type { Logger } from '../ports/logger.ts'
import type { Metrics } from '../ports/metrics.ts'
import { refusalDetails } from '../ports/refusal-details.ts'
import type { Faults } from './faults.ts'
import type { GatewayConnection } from './gateway-connection.ts'
import { isSlow } from './is-slow.ts'
import { parseRequest } from './parse-payload.ts'
import type { RequestHandlers } from './request-handlers.ts'
import type { RequestsUnderWay } from './requests-under-way.ts'
import type { SignalHandlers } from './signal-handlers.ts'
import type { SocketRates } from './socket-rates.ts'
import { type UserConnection, whose } from './user-connection.ts'

export interface AnswerEventsOptions {
  readonly handlers: RequestHandlers
  readonly signalHandlers: SignalHandlers
  readonly rates: SocketRates
  readonly underWay: RequestsUnderWay
  readonly faults: Faults
  readonly logger: Logger
  readonly metrics: Metrics
  readonly maxBacklogBytes: number
  readonly isClosing: () => boolean
  /** Whether the connection still counts: it may have been ended before its socket closes. */
  readonly isLive: () => boolean
  readonly end: (reason: ErrorBody) => void
}

/** Answers the events of one connection: admits each by the limits, and hands it to its handler. */
export function answerEvents(
  connection: UserConnection,
  options: AnswerEventsOptions,
): Pick<GatewayConnection, 'request' | 'signal' | 'received'> {
  const { handlers, signalHandlers, rates, underWay, faults, logger, metrics } = options
  const { maxBacklogBytes, isClosing, isLive, end } = options
  const { socket, allowance } = connection

  function admit(name: RequestName): void {
    if (isClosing() || !isLive()) throw SyncError.from(shuttingDown)
    // Acks are never left out: those of a client that keeps asking and reads nothing would pile up without bound.
    if (isSlow(connection, 2 * maxBacklogBytes)) {
      logger.warn({ connectionId: socket.id }, 'a client keeps asking and reads nothing, and is disconnected')
      end(readFirst)
      throw SyncError.from(readFirst)
    }
    const retryAfterMs = rates.admitRequest(name)
    if (retryAfterMs > 0) throw new SyncError('rate_limited', 'too many requests', { retryAfterMs })
  }

  function logRefusal(event: RequestName, payload: unknown, error: ErrorBody): void {
    metrics.refused(event, error.code)
    if (!rates.admitLine()) return
    const { spaceId } = ofSpaceSchema.safeParse(payload).data ?? {}
    const details = { ...whose(connection), ...(spaceId && { spaceId }), event, ...refusalDetails(error) }
    logger.info(details, 'refused')
  }

  /** What was asked before may be answered when far too much waits already. */
  function answer<Reply>(ack: (reply: Reply) => void, reply: Reply): void {
    if (isLive() && isSlow(connection, 2 * maxBacklogBytes)) end(readFirst)
    else ack(reply)
  }

  return {
    request: (name, payload, ack) => {
      const finish = underWay.begin()
      const acked = metrics.asked(name)
      let isSettled = false
      const settle: typeof ack = (reply) => {
        if (isSettled) return
        isSettled = true
        acked()
        if (!reply.ok) logRefusal(name, payload, reply.error)
        faults.contain(name, () => answer(ack, reply))
        finish()
      }
      const refuse = (error: unknown): void => {
        settle({ ok: false, error: faults.bodyOf(error, name) })
      }
      try {
        admit(name)
        handlers[name](connection, parseRequest(name, payload), settle)?.catch(refuse)
      } catch (error) {
        refuse(error)
      }
    },

    signal: (name, payload) => {
      faults.contain(name, () => {
        if (isLive() && rates.admitSignal()) signalHandlers[name](connection, payload)
      })
    },

    received: (bytes) => {
      allowance.bytes.spend(bytes + messageBytes)
      if (!allowance.isFlooding || !isLive()) return
      const { userId } = connection.data
      logger.warn(
        { userId, connectionId: socket.id },
        'a user keeps sending though refused, and is disconnected',
      )
      end(sentTooMuch)
    },
  }
}

const ofSpaceSchema = z.object({ spaceId: spaceIdSchema })

/** Bytes that a message counts besides its own: the smallest one costs something too. */
const messageBytes = 256

export const shuttingDown: ErrorBody = { code: 'unavailable', message: 'the server is shutting down' }
const sentTooMuch: ErrorBody = { code: 'rate_limited', message: 'far too much was sent' }
const readFirst: ErrorBody = { code: 'rate_limited', message: 'read what was sent first' }
