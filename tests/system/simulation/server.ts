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

/** Accounts and memberships, the content of `platform.sqlite`. They are never lost here, and have their own tests. */
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
 * The server's core over logs in memory. `kill` loses what a process loses with `SIGKILL`: everything except the
 * committed operations in the logs. A killed gateway never acts again.
 */
export interface SimServer {
  readonly accounts: Accounts
  /** The number of trees compared with the log, and those that did not match. */
  readonly compared: { matching: number; differing: number }
  /** While true, deletes are accepted and everything else is rejected. */
  isFull: boolean
  /** Null while the server is down. */
  readonly gateway: Gateway | null
  /** Reads trees. Only while the server is up. */
  readonly spaces: Spaces
  /** The log on disk, as it would be after a crash now. */
  log(spaceId: SpaceId): OpLog
  start(): void
  kill(): void
  /** Restores the state that `backUp` saved. Only while the server is down. */
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
