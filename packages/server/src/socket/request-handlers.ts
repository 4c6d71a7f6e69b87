import {
  type AccessId,
  type Ack,
  limits,
  type ParsedPayload,
  readBatchHeader,
  type RequestName,
  type RequestReply,
  type SpaceId,
  type SpaceIdentity,
  SyncError,
} from '@t69/protocol'

import { type Budget, costs, prepaid } from '../limits/budget.ts'
import type { Access, SpaceAccess, SpaceAccessLists } from '../ports/access.ts'
import type { Logger } from '../ports/logger.ts'
import type { Metrics } from '../ports/metrics.ts'
import type { Tokens } from '../ports/tokens.ts'
import type { Joining, Page, PullBounds, Space } from '../spaces/space.ts'
import type { Spaces } from '../spaces/spaces.ts'
import { createEarlyPages } from './early-pages.ts'
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
  readonly accessLists: SpaceAccessLists
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
  const { spaces, accessLists, tokens, rooms, logger, metrics, now, maxBacklogBytes, renewed } = options

  const earlyPages = createEarlyPages()

  /** Unread pages and seals must not pile up, just as appends must not. */
  function requireReader(connection: UserConnection): void {
    if (!isSlow(connection, maxBacklogBytes)) return
    throw new SyncError('rate_limited', 'read what was sent first', { retryAfterMs: 1_000 })
  }

  return {
    'space:join': async (connection, payload, ack) => {
      const { spaceId, identity, accessId, page: asked, describe, ...position } = payload
      requireRight(options, connection, spaceId, 'read')
      const entering = { spaceId }
      connection.entering.add(entering)
      const early = earlyPages.begin(connection.allowance)
      try {
        const space = await spaces.open(spaceId, connection.allowance, () => {
          const page = isSlow(connection, maxBacklogBytes) ? undefined : pageOfJoin(connection, asked)
          return { position, page: page && early.take() ? page : undefined }
        })
        // Opening the log may have told the accounts who was removed.
        requireRight(options, connection, spaceId, 'read')
        requireSpace(accessLists, spaceId, { identity, accessId })
        const renewed = (): void => {
          metrics.historyLost('client')
          const { logId } = space.state
          logger.warn({ spaceId, logId }, 'the log of a space has lost history and got a new id')
          rooms.expelAll(spaceId, 'changed', connection)
        }
        const { cursor, logId, page } = await connection.allowance.inTurn(async () => {
          requireRight(options, connection, spaceId, 'read')
          requireReader(connection)
          const page = hasAll(position, space) ? undefined : pageOfJoin(connection, asked)
          const joined = await charged(connection.allowance, page, () =>
            space.join(position, { renewed, page }),
          )
          return { ...joined, logId: space.state.logId }
        })
        if (space.state.logId !== logId)
          throw new SyncError('not_joined', 'the log has another id: join again')
        if (!connection.entering.has(entering)) {
          throw new SyncError('not_joined', 'the socket has left the space meanwhile')
        }
        // From here on in one turn: who enters misses no commit after the state, and no change of the members.
        const role = requireRight(options, connection, spaceId, 'read')
        const present = requireSpace(accessLists, spaceId, { identity, accessId })
        const seal = accessId === present.accessId ? undefined : accessLists.seal(spaceId)
        const { name, createdAt } = present
        const reply = {
          ...space.state,
          cursor,
          identity: present.identity,
          role,
          ...(describe === true && { space: { name, createdAt } }),
        }
        const fits = page !== undefined && sizeOf(page) + (seal?.seal.length ?? 0) <= limits.maxMessageBytes
        ack({ ok: true, ...reply, ...(seal && { seal }), ...(fits && { page }) })
        // Instead of being answered, a connection for which far too much waits has been ended.
        if (connection.isOver) return
        connection.allowance.bytes.spend(rooms.enter(connection, spaceId, role) + (seal?.seal.length ?? 0))
      } finally {
        connection.entering.delete(entering)
        early.end()
      }
    },

    'space:leave': (connection, { spaceId }, ack) => {
      rooms.leave(connection, spaceId)
      ack(left)
    },

    'ops:push': async (connection, { spaceId, batch }, ack) => {
      const checkAgain = () => requireRightInJoined(options, connection, spaceId, 'edit')
      checkAgain()
      const { allowance, socket } = connection
      allowance.checkOperations()
      // The storage reads the rest of it, and refuses a batch of another space.
      const { count } = readBatchHeader(batch)
      const receivers = rooms.find(spaceId)?.size ?? 0
      const price = costs.operations(count, batch.length) + costs.copies(receivers, batch.length)
      allowance.spendOperations(price)
      try {
        const space = await spaces.open(spaceId, prepaid(allowance))
        checkAgain()
        const { userId } = connection.data
        space.push({ batch, count, originId: socket.id, userId, checkAgain }, ack)
      } catch (error) {
        allowance.spendOperations(-price)
        throw error
      }
    },

    'ops:pull': async (connection, { spaceId, after, maxBytes }, ack) => {
      const checkAgain = (): void => {
        requireRightInJoined(options, connection, spaceId, 'read')
        requireReader(connection)
      }
      checkAgain()
      const { allowance } = connection
      allowance.checkOperations()
      const space = await spaces.open(spaceId, allowance)
      const bounds = { maxBytes, takesCompressed: connection.socket.takesCompressed }
      const { page } = await allowance.inTurn(() => {
        checkAgain()
        allowance.checkOperations()
        return charged(allowance, bounds, async () => ({ page: await space.pull(after, bounds) }))
      })
      checkAgain()
      // The list before the operations that were committed under it.
      const seal = () => accessLists.seal(spaceId)
      allowance.bytes.spend(rooms.find(spaceId)?.catchUp(connection, seal) ?? 0)
      ack({ ok: true, ...space.state, ...page })
    },

    'tree:compare': async (connection, { spaceId, treeId, logId, cursor, digest: shown }, ack) => {
      requireRightInJoined(options, connection, spaceId, 'read')
      const { allowance } = connection
      const { state } = await spaces.open(spaceId, allowance)
      requireRightInJoined(options, connection, spaceId, 'read')
      if (logId !== state.logId) throw new SyncError('not_joined', 'the log has another id: join again')
      if (cursor > state.head) {
        throw new SyncError('invalid_request', `the log ends at ${state.head}`, { at: 'cursor' })
      }
      const digest = await spaces.digestAt({ spaceId, treeId }, { logId, cursor }, allowance)
      // A member who was removed while the tree was read learns nothing more of the space.
      requireRightInJoined(options, connection, spaceId, 'read')
      const matches = digest === shown
      metrics.compared(matches, connection.data.userId)
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
        throw new SyncError('forbidden', 'the token is another user’s: connect again', {
          reason: 'other_user',
        })
      }
      connection.data = data
      renewed(connection)
      ack({ ok: true, expiresInMs: Math.max(0, data.tokenExpiresAt - now()) })
    },
  }
}

/** The most bytes that a page takes in a reply, and what is in the reply of a join besides it and the seal. */
function sizeOf({ batch, commits }: Page): number {
  return batch.byteLength + 128 * commits.length + 2_048
}

/** Charges for the page that is asked for: first for the largest that it may be, then for what was read. */
async function charged<Answer extends { readonly page: Page | undefined }>(
  budget: Budget,
  bounds: PullBounds | undefined,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  if (bounds === undefined) return ask()
  let unused = costs.operations(0, bounds.maxBytes ?? limits.batchBudgetBytes)
  budget.spendOperations(unused)
  try {
    const answer = await ask()
    const { page } = answer
    if (page !== undefined) unused -= costs.operations(page.cursor - page.after, page.batch.length)
    return answer
  } finally {
    budget.spendOperations(-unused)
  }
}

function hasAll({ logId, epoch, cursor }: Joining['position'], { state }: Space): boolean {
  return logId === state.logId && epoch === state.epoch && cursor === state.head
}

/** The bounds of the page that comes with a join. Undefined for a device that owes: it pulls. */
function pageOfJoin(
  { allowance, socket }: UserConnection,
  page: ParsedPayload<'space:join'>['page'],
): PullBounds | undefined {
  if (page === undefined) return undefined
  try {
    allowance.checkOperations()
  } catch (error) {
    if (error instanceof SyncError) return undefined
    throw error
  }
  return { ...page, takesCompressed: socket.takesCompressed }
}

/** The space as it is now. Throws `other_space` and `access_behind` for a device that knows it otherwise. */
function requireSpace(
  accessLists: SpaceAccessLists,
  spaceId: SpaceId,
  known: { readonly identity: SpaceIdentity | undefined; readonly accessId: AccessId | undefined },
): SpaceAccess {
  const present = accessLists.of(spaceId)
  if (present === undefined) throw new SyncError('not_found', 'there is no such space')
  if (known.identity !== undefined && known.identity !== present.identity) {
    throw new SyncError('other_space', `On the server, “${present.name}” has the id of this space`)
  }
  if (known.accessId !== undefined && !accessLists.knows(spaceId, known.accessId)) {
    throw new SyncError('access_behind', 'The server lacks a change of the members of this space')
  }
  return present
}

// The type of a reply without fields allows no fields at all, not even `ok`.
const left = { ok: true } as Ack<RequestReply<'space:leave'>>
