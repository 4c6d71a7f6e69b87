import {
  randomHexId,
  SyncError,
  type Epoch,
  type Role,
  type SocketData,
  type SpaceId,
  type UserId,
} from '@t69/protocol'
import {
  createGateway,
  createMemoryOpLogs,
  createSpaces,
  type Access,
  type Gateway,
  type MemoryOpLogs,
  type OpLog,
  type Metrics,
  noMetrics,
  type ServerRuntime,
  type Spaces,
} from '@t69/server'

import type { VirtualTime } from './time.ts'

export const tokenLifeMs = 10 * 60_000

/** Accounts and memberships: what `platform.sqlite` holds. It is never lost here, and has its own tests. */
export interface Accounts extends Access {
  create(spaceId: SpaceId, owner: UserId): void
  add(spaceId: SpaceId, userId: UserId, role: Role): void
}

function createAccounts(): Accounts {
  const roles = new Map<SpaceId, Map<UserId, Role>>()
  return {
    roleOf: (spaceId, userId) => roles.get(spaceId)?.get(userId),
    create: (spaceId, owner) => {
      if (!roles.has(spaceId)) roles.set(spaceId, new Map([[owner, 'owner']]))
    },
    add: (spaceId, userId, role) => void roles.get(spaceId)?.set(userId, role),
  }
}

/**
 * The server's core over logs in memory. What a process would lose with a `SIGKILL` is lost by `kill`:
 * everything but the logs' committed operations. The gateway that was killed never acts again.
 */
export interface SimServer {
  readonly accounts: Accounts
  /** How many trees were compared with the log, and which were not as it has them. */
  readonly compared: { matching: number; differing: number }
  /** Deletes are taken, all else is rejected. */
  isFull: boolean
  /** Null while it is down. */
  readonly gateway: Gateway | null
  /** Reads trees; only while it is up. */
  readonly spaces: Spaces
  /** What is on disk: the log as it would be after a crash now. */
  log(spaceId: SpaceId): OpLog
  start(): void
  kill(): void
  /** Goes back to what `backUp` kept, as a restored file would; only while it is down. */
  backUp(): void
  restore(): boolean
  tokenFor(userId: UserId): string
  verify(token: string): SocketData
}

export function createSimServer(time: VirtualTime): SimServer {
  const accounts = createAccounts()
  const seedingEpoch = randomHexId() as Epoch
  let logs = createMemoryOpLogs()
  let backup: MemoryOpLogs | null = null
  const compared = { matching: 0, differing: 0 }
  const metrics: Metrics = {
    ...noMetrics,
    compared: (matches) => void compared[matches ? 'matching' : 'differing']++,
  }
  let running: { gateway: Gateway; spaces: Spaces; stop: () => void } | null = null

  const verify = (token: string): SocketData => {
    const [userId, expiresAt] = token.split(' ')
    if (userId === undefined || Number(expiresAt) <= time.now()) {
      throw new SyncError('unauthenticated', 'The access token has expired')
    }
    return {
      userId: userId as UserId,
      userName: userId,
      sessionId: userId,
      tokenExpiresAt: Number(expiresAt),
    }
  }

  const room = { ops: 0, deletes: Infinity, returns: Infinity, reason: 'the space is full' }
  const unlimited = { ops: Infinity, deletes: Infinity, returns: Infinity, reason: '' }
  const quotas = { roomIn: () => (simServer.isFull ? room : unlimited), grown: () => {} }

  const simServer: SimServer = {
    accounts,
    compared,
    isFull: false,
    get gateway() {
      return running?.gateway ?? null
    },
    get spaces() {
      if (running === null) throw new Error('the server is down')
      return running.spaces
    },
    log: (spaceId) => logs.open(spaceId, seedingEpoch),
    start: () => {
      if (running !== null) return
      let alive = true
      const guarded = (callback: () => void) => () => {
        if (alive) callback()
      }
      const runtime: ServerRuntime = {
        now: () => time.now(),
        setTimer: (callback, delayMs) => time.setTimer(guarded(callback), delayMs),
        schedule: (callback) => void time.setTimer(guarded(callback), 0),
      }
      const spaces = createSpaces({ opLogs: logs, epoch: randomHexId() as Epoch, runtime, quotas })
      const gateway = createGateway({ spaces, access: accounts, tokens: { verify }, runtime, metrics })
      running = { gateway, spaces, stop: () => (alive = false) }
    },
    kill: () => {
      running?.stop()
      running = null
    },
    backUp: () => {
      backup = logs.copy()
    },
    restore: () => {
      if (backup === null || running !== null) return false
      logs = backup.copy()
      return true
    },
    tokenFor: (userId) => `${userId} ${time.now() + tokenLifeMs}`,
    verify,
  }
  return simServer
}
