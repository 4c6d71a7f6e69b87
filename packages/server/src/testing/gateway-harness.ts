import {
  type AccessId,
  type Ack,
  encodeBatch,
  type ErrorBody,
  type NotificationName,
  randomHexId,
  type RequestName,
  type RequestReply,
  type RoleName,
  type SpaceId,
  type SpaceIdentity,
  SyncError,
  type TreeOperation,
  type UserId,
} from '@t69/protocol'

import { createUserLimits, defaultUserLimits, type UserLimitRates } from '../limits/user-limits.ts'
import { createMemoryOpLogs } from '../logs/memory-op-logs.ts'
import { noMetrics } from '../ports/metrics.ts'
import type { GatewayLimits } from '../socket/gateway-limits.ts'
import { createGateway } from '../socket/gateway.ts'
import { createSpaces } from '../spaces/spaces.ts'
import { createInlineStorage } from '../storage/inline-storage.ts'
import type { Storage } from '../storage/storage.ts'
import { createManualRuntime } from './manual-runtime.ts'
import { newEpoch, newUserId, spaceId } from './ops.ts'

/** A message that a client received. */
export type Seen =
  | { readonly name: NotificationName; readonly payload: unknown }
  | { readonly ack: RequestName; readonly reply: unknown }

const hourMs = 3_600_000

interface ConnectOptions {
  readonly userId?: UserId
  readonly userName?: string
  /** `none` for a user who is not a member. */
  readonly role?: RoleName
  readonly sessionId?: string
  readonly lifetimeMs?: number
}

/** Waits until every promise that needs no time has resolved. */
export async function settled(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve)
  })
}

/** A gateway over logs and sockets in memory, with manual time. */
export function createGatewayHarness(
  limits: Partial<GatewayLimits> = {},
  rates: Partial<UserLimitRates> = {},
  /** Puts something between the spaces and their storage. */
  around: (storage: Storage) => Storage = (storage) => storage,
) {
  const runtime = createManualRuntime()
  const userLimits = createUserLimits({ ...defaultUserLimits, ...rates }, runtime.monotonic)
  const opLogs = createMemoryOpLogs()
  const roles = new Map<string, RoleName>()
  /** The identity of every space, and the access id that names the present state of its members. */
  const space = {
    identity: randomHexId() as SpaceIdentity,
    accessId: randomHexId() as AccessId,
    sealLength: 0,
  }
  const accessIds = new Set([space.accessId])
  const errors: object[] = []
  const warnings: object[] = []
  /** For each compared tree, whether it matched. */
  const counted: boolean[] = []
  const logger = {
    info: () => {},
    warn: (details: object) => void warnings.push(details),
    error: (details: object) => void errors.push(details),
  }
  const metrics = { ...noMetrics, compared: (matches: boolean) => void counted.push(matches) }
  const spaces = createSpaces({ storage: around(createInlineStorage(opLogs, newEpoch())), runtime, logger })
  const gateway = createGateway({
    spaces,
    runtime,
    logger,
    metrics,
    limits,
    userLimits,
    accessLists: {
      of: () => ({ ...space, name: 'Notes', createdAt: 1_000 }),
      knows: (_, accessId) => accessIds.has(accessId),
      seal: () => ({
        accessId: space.accessId,
        seal: `the members at ${space.accessId}`.padEnd(space.sealLength),
      }),
    },
    access: { roleOf: (space, user) => roles.get(`${space}/${user}`) },
    tokens: {
      // A token is `<user>/<session>/<lifetime in ms>`.
      verify: (token) => {
        const [userId, sessionId, lifetime] = token.split('/')
        if (lifetime === undefined) throw new SyncError('unauthenticated', 'no such token')
        return dataOf(userId as UserId, sessionId, runtime.now() + Number(lifetime))
      },
    },
  })

  function dataOf(userId: UserId, sessionId = 'session', tokenExpiresAt = runtime.now() + hourMs) {
    return { userId, userName: `name of ${userId.slice(0, 4)}`, sessionId, tokenExpiresAt }
  }

  /** Ends the turn, and waits for what is done then. */
  async function turn(): Promise<void> {
    await settled()
    runtime.turn()
    await settled()
  }

  let sockets = 0

  function connect({
    userId = newUserId(),
    userName,
    role = 'editor',
    sessionId = 'session',
    lifetimeMs = hourMs,
  }: ConnectOptions = {}) {
    if (role !== 'none') setRole(userId, role)
    const id = `socket-${++sockets}`
    const seen: Seen[] = []
    const client = { backlog: 0, disconnected: undefined as ErrorBody | undefined }
    const connection = gateway.connect(
      {
        id,
        send: (name, payload) => void seen.push({ name, payload }),
        disconnect: (reason) => {
          client.disconnected = reason
          connection.closed()
        },
        takesCompressed: true,
        backlogBytes: () => client.backlog,
      },
      {
        ...dataOf(userId, sessionId, runtime.now() + lifetimeMs),
        ...(userName !== undefined && { userName }),
      },
    )

    /** Sends a request. `ack` is undefined until it is answered. Acks also go into `seen`. */
    function send<N extends RequestName>(
      name: N,
      payload: unknown,
    ): { ack: Ack<RequestReply<N>> | undefined } {
      const answered: { ack: Ack<RequestReply<N>> | undefined } = { ack: undefined }
      connection.request(name, payload, (reply) => {
        answered.ack = reply
        seen.push({ ack: name, reply })
      })
      return answered
    }

    /** Sends a request, and waits for what is done without the end of a turn. */
    async function request<N extends RequestName>(name: N, payload: unknown) {
      const answered = send(name, payload)
      await settled()
      return answered
    }

    return Object.assign(client, {
      id,
      userId,
      connection,
      seen,
      send,
      request,
      join: async (position: object = {}, space: SpaceId = spaceId) =>
        request('space:join', { spaceId: space, ...position }),
      /** Pushes, and ends the turn. */
      push: async (ops: readonly TreeOperation[], space: SpaceId = spaceId) => {
        const batch = encodeBatch({ spaceId: space, ops })
        const answered = await request('ops:push', { spaceId: space, batch })
        await turn()
        return answered
      },
      /** Compares a tree, whose ack comes in a later turn. */
      compare: async (payload: object) =>
        await new Promise<Ack<RequestReply<'tree:compare'>>>((resolve) =>
          connection.request('tree:compare', payload, resolve),
        ),
      /** Payloads of the notifications with this name since the last `forget`. */
      got: (name: NotificationName) =>
        seen.flatMap((it) => ('name' in it && it.name === name ? [it.payload] : [])),
      forget: () => void seen.splice(0),
    })
  }

  function setRole(userId: UserId, role: RoleName | undefined, space: SpaceId = spaceId): void {
    if (role === undefined) roles.delete(`${space}/${userId}`)
    else roles.set(`${space}/${userId}`, role)
  }

  /** Changes the access list, and tells the gateway. */
  function changeAccess(spaceId: SpaceId, change: () => void): void {
    change()
    space.accessId = randomHexId() as AccessId
    accessIds.add(space.accessId)
    gateway.accessChanged(spaceId)
  }

  return {
    space,
    changeAccess,
    userLimits,
    runtime,
    turn,
    opLogs,
    spaces,
    gateway,
    errors,
    warnings,
    counted,
    connect,
    setRole,
  }
}
