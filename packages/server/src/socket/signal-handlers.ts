import { limits, type SignalName, utf8Length } from '@t69/protocol'

import type { Allowance } from '../limits/user-limits.ts'
import type { Access } from '../ports/access.ts'
import type { Logger } from '../ports/logger.ts'
import { parseSignal, type ParsedSignal } from './parse-payload.ts'
import { requireRightInJoined } from './require-right.ts'
import type { Rooms } from './rooms.ts'
import type { UserConnection } from './user-connection.ts'

/** Each handler drops a malformed payload, acts, or throws. Nobody is answered. Any error but a `SyncError` is a bug. */
export type SignalHandlers = Readonly<
  Record<SignalName, (connection: UserConnection, payload: unknown) => void>
>

export interface SignalHandlersOptions {
  readonly access: Access
  readonly rooms: Rooms
  readonly logger: Logger
  /** Bytes of presence of one user, over all connections and spaces. */
  readonly maxShownBytes: number
}

/** Sending a signal to this many sockets costs as much as reading one more signal. */
const copiesPerSignal = 16

/** The handlers of all signals. Each checks the right that its signal takes, charges for it, then passes it on. */
export function createSignalHandlers(options: SignalHandlersOptions): SignalHandlers {
  const { rooms, logger, maxShownBytes } = options
  return {
    'ops:transient': parsed('ops:transient', (connection, { spaceId, changes }) => {
      requireRightInJoined(options, connection, spaceId, 'edit')
      const bytes = bytesOf(changes)
      // A number may be longer than it was sent: `1e20` goes out as 21 digits. Our client sends it as it goes out.
      if (bytes > limits.maxBatchBytes) return
      const room = rooms.find(spaceId)
      if (payForCopies(connection.allowance, room?.size ?? 0, bytes)) room?.passOn(connection, changes)
    }),

    'presence:set': parsed('presence:set', (connection, { spaceId, state }) => {
      requireRightInJoined(options, connection, spaceId, 'read')
      const room = rooms.find(spaceId)
      const bytes = bytesOf(state)
      const { allowance } = connection
      if (state !== null && allowance.shownBytes + bytes > maxShownBytes) return
      if (payForCopies(allowance, room?.size ?? 0, bytes)) room?.show(connection, state, bytes)
    }),

    'divergence:report': parsed('divergence:report', (connection, report) => {
      requireRightInJoined(options, connection, report.spaceId, 'read')
      if (connection.allowance.logged.take() > 0) return
      const { userId } = connection.data
      const details = { ...report, userId, connectionId: connection.socket.id }
      logger.warn(details, 'vertices that differed in a diverged tree')
    }),
  }
}

function parsed<N extends SignalName>(
  name: N,
  handle: (connection: UserConnection, payload: ParsedSignal<N>) => void,
): SignalHandlers[N] {
  return (connection, raw) => {
    const payload = parseSignal(name, raw)
    if (payload !== undefined) handle(connection, payload)
  }
}

const bytesOf = (value: unknown): number => utf8Length(JSON.stringify(value))

/** Bytes of all copies of one signal, which are made in one turn: a large one is not passed on to very many. */
const maxCopiedBytes = 8 * 1024 * 1024

/**
 * Charges for the receivers of a signal, who cause most of its cost, even for the smallest one. Returns false for more copies
 * than are made.
 */
function payForCopies(allowance: Allowance, sockets: number, bytes: number): boolean {
  if (bytes * sockets > maxCopiedBytes) return false
  allowance.bytes.spend(bytes * sockets)
  allowance.signals.spend(sockets / copiesPerSignal)
  return true
}
