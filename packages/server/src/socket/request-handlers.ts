import {
  type Ack,
  decodeBatch,
  type ParsedPayload,
  type RequestName,
  type RequestReply,
  SyncError,
} from '@t69/protocol'

import { costs } from '../limits/budget.ts'
import type { Access } from '../ports/access.ts'
import type { Logger } from '../ports/logger.ts'
import type { Metrics } from '../ports/metrics.ts'
import type { Tokens } from '../ports/tokens.ts'
import type { Spaces } from '../spaces/spaces.ts'
import { isSlow } from './is-slow.ts'
import { requireRight, requireRightInJoined } from './require-right.ts'
import type { Rooms } from './rooms.ts'
import type { UserConnection } from './user-connection.ts'

/** Each handler calls `ack` once, or throws or rejects before it does. Any error but a `SyncError` is a bug. */
export type RequestHandlers = {
  [N in RequestName]: (
    connection: UserConnection,
    payload: ParsedPayload<N>,
    ack: (reply: Ack<RequestReply<N>>) => void,
  ) => void | Promise<void>
}

export interface RequestHandlersOptions {
  readonly spaces: Spaces
  readonly access: Access
  readonly tokens: Tokens
  readonly rooms: Rooms
  readonly logger: Logger
  readonly metrics: Metrics
  readonly now: () => number
  readonly maxBacklogBytes: number
  /** The connection has a new token, which expires later. */
  readonly renewed: (connection: UserConnection) => void
}

/** The handlers of all requests. Each checks the right that its request takes, then acts, then acks. */
export function createRequestHandlers(options: RequestHandlersOptions): RequestHandlers {
  const { spaces, tokens, rooms, logger, metrics, now, maxBacklogBytes, renewed } = options
  return {
    'space:join': (connection, { spaceId, ...position }, ack) => {
      const role = requireRight(options, connection, spaceId, 'read')
      const { renewed: isRenewed, ...reply } = spaces.open(spaceId, connection.allowance).join(position)
      if (isRenewed) {
        metrics.historyLost()
        logger.warn({ spaceId, logId: reply.logId }, 'the log of a space has lost history and got a new id')
        rooms.expelAll(spaceId, 'changed', connection)
      }
      ack({ ok: true, ...reply, role })
      connection.allowance.bytes.spend(rooms.enter(connection, spaceId, role))
    },

    'space:leave': (connection, { spaceId }, ack) => {
      rooms.leave(connection, spaceId)
      ack(left)
    },

    'ops:push': (connection, { spaceId, batch }, ack) => {
      requireRightInJoined(options, connection, spaceId, 'edit')
      const { allowance, socket } = connection
      allowance.checkOperations()
      // Open the space before charging for the push, or the push's own cost could get it refused.
      const space = spaces.open(spaceId, allowance)
      const decoded = decodeBatch(batch)
      const receivers = rooms.find(spaceId)?.size ?? 0
      allowance.spendOperations(
        costs.operations(decoded.ops.length, batch.length) + costs.copies(receivers, batch.length),
      )
      if (decoded.spaceId !== spaceId) {
        throw new SyncError('invalid_batch', `the batch is of space ${decoded.spaceId}`)
      }
      space.push({ ops: decoded.ops, batch, originId: socket.id }, ack)
    },

    'ops:pull': (connection, { spaceId, after, maxBytes }, ack) => {
      requireRightInJoined(options, connection, spaceId, 'read')
      // Unread pages must not pile up, just as appends must not.
      if (isSlow(connection, maxBacklogBytes)) {
        throw new SyncError('rate_limited', 'read what was sent first', { retryAfterMs: 1_000 })
      }
      const { allowance } = connection
      allowance.checkOperations()
      const page = spaces.open(spaceId, allowance).pull(after, maxBytes)
      allowance.spendOperations(costs.operations(page.cursor - page.after, page.batch.length))
      ack({ ok: true, ...page })
    },

    'tree:compare': async (connection, { spaceId, treeId, logId, cursor, digest: shown }, ack) => {
      requireRightInJoined(options, connection, spaceId, 'read')
      const { allowance } = connection
      const { state } = spaces.open(spaceId, allowance)
      if (logId !== state.logId) throw new SyncError('not_joined', 'the log has another id: join again')
      if (cursor > state.head) {
        throw new SyncError('invalid_request', `the log ends at ${state.head}`, { at: 'cursor' })
      }
      const digest = await spaces.digestAt({ spaceId, treeId }, { logId, cursor }, allowance)
      // A member who was removed while the tree was read learns nothing more of the space.
      requireRightInJoined(options, connection, spaceId, 'read')
      const matches = digest === shown
      metrics.compared(matches)
      if (!matches && allowance.logged.take() === 0) {
        const { userId } = connection.data
        const position = { spaceId, treeId, logId, cursor }
        logger.error(
          { ...position, digest, clientDigest: shown, userId, connectionId: connection.socket.id },
          "a client's tree does not match the log",
        )
      }
      ack({ ok: true, matches, digest })
    },

    'auth:renew': (connection, { token }, ack) => {
      const data = tokens.verify(token)
      if (data.userId !== connection.data.userId) {
        throw new SyncError('forbidden', 'the token is another user’s: connect again')
      }
      connection.data = data
      renewed(connection)
      ack({ ok: true, expiresInMs: Math.max(0, data.tokenExpiresAt - now()) })
    },
  }
}

// The type of a reply without fields allows no fields at all, not even `ok`.
const left = { ok: true } as Ack<RequestReply<'space:leave'>>
