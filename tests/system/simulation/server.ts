import {
  randomHexId,
  SyncError,
  type Epoch,
  type SocketData,
  type SpaceId,
  type SpaceIdentity,
  type UserId,
} from '@t69/protocol'
import {
  createGateway,
  createInlineStorage,
  createMemoryOpLogs,
  createServerClock,
  createSpaces,
  type Gateway,
  type MemoryOpLogs,
  type OpLog,
  type OpLogs,
  type Metrics,
  noMetrics,
  type ServerClock,
  type ServerRuntime,
  type Spaces,
} from '@t69/server'

import type { Random } from '../../lib/random.ts'
import { createSimAccounts, type SimAccounts } from './accounts.ts'
import { noteCommitters, type Committers } from './authors.ts'
import { createSlowStorage, type StorageFaults } from './slow-storage.ts'
import type { VirtualTime } from './time.ts'

export const tokenLifeMs = 10 * 60_000

/** What is restored from the last backup: the spaces' logs, the accounts, or both. */
export type Restored = 'logs' | 'accounts' | 'everything'

/**
 * The server's core over logs and accounts in memory. `kill` loses what a process loses with `SIGKILL`: everything except
 * the committed operations in the logs, and the accounts. A killed gateway never acts again.
 */
export interface SimServer {
  readonly accounts: SimAccounts
  readonly committers: Committers
  /** The number of trees compared with the log, and those that did not match. */
  readonly compared: { matching: number; differing: number }
  /** While true, deletes are accepted and everything else is rejected. */
  isFull: boolean
  /** How far the clock of its machine is ahead, in ms. */
  skewMs: number
  /** How badly its storage behaves. */
  disk: StorageFaults
  /** Whether a log is about to keep a change of its members. Only then is the change confirmed to whoever made it. */
  readonly isKeepingAccess: boolean
  /** Null while the server is down. */
  readonly gateway: Gateway | null
  /** Reads trees. Only while the server is up. */
  readonly spaces: Spaces
  /** The log on disk of the space that has the id, as it would be after a crash now. */
  log(spaceId: SpaceId): OpLog
  start(): void
  kill(): void
  /** Restores the state that `backUp` saved: before the first backup, an empty server. Only while the server is down. */
  backUp(what?: Restored): void
  restore(what: Restored): void
  /** Deletes a space for everybody, as its owner may. */
  deleteSpace(spaceId: SpaceId): void
  tokenFor(userId: UserId): string
  verify(token: string): SocketData
}

export function createSimServer(time: VirtualTime, random: Random): SimServer {
  const accounts = createSimAccounts()
  const seedingEpoch = randomHexId() as Epoch
  const committers: Committers = new Map()
  /** By identity: the file of another space is set aside, and found again when that space is back. */
  let logs = new Map<SpaceIdentity, MemoryOpLogs>()
  /** The identity of each space whose log was opened: the accounts forget a deleted space before its log is removed. */
  const identities = new Map<SpaceId, SpaceIdentity>()
  let backup: typeof logs = new Map()
  /** The spaces whose logs were deleted, as it is remembered beside the logs. */
  let gone = new Set<SpaceId>()
  let goneInBackup = gone
  const compared = { matching: 0, differing: 0 }
  const metrics: Metrics = {
    ...noMetrics,
    compared: (matches) => void compared[matches ? 'matching' : 'differing']++,
  }
  let running: { gateway: Gateway; spaces: Spaces; stop: () => void } | null = null
  let keeping = 0
  let clock: Pick<ServerClock, 'now'> = { now: () => time.now() }
  let storedTime: number | undefined

  function logsOf(spaceId: SpaceId): MemoryOpLogs {
    const { identity = identities.get(spaceId) } = accounts.of(spaceId) ?? {}
    if (identity === undefined) throw new Error('the log of an unknown space was opened')
    const found = logs.get(identity) ?? createMemoryOpLogs()
    logs.set(identity, found)
    identities.set(spaceId, identity)
    return found
  }
  const copyOf = (kept: typeof logs): typeof logs =>
    new Map(Array.from(kept, ([identity, one]) => [identity, one.copy()]))
  const opLogs: OpLogs = {
    open: (spaceId, epoch) => noteCommitters(logsOf(spaceId).open(spaceId, epoch), committers),
    bytesOf: (spaceId) => logsOf(spaceId).bytesOf(spaceId),
    suspect: (spaceId) => logsOf(spaceId).suspect(spaceId),
    wasDeleted: (spaceId) => gone.has(spaceId),
    delete(spaceId) {
      logsOf(spaceId).delete(spaceId)
      gone.add(spaceId)
    },
  }

  accounts.onChange = (spaceId) => {
    running?.gateway.accessChanged(spaceId)
    void keepAccess(spaceId)
  }

  async function keepAccess(spaceId: SpaceId): Promise<void> {
    if (running === null) return
    keeping++
    try {
      await running.spaces.keepAccess(spaceId)
    } catch (error) {
      // The log gets the list when it is opened next.
      if (!(error instanceof SyncError)) throw error
    }
    keeping--
  }

  const verify = (token: string): SocketData => {
    const [userId, expiresAt] = token.split(' ')
    if (userId === undefined || Number(expiresAt) <= clock.now()) {
      throw new SyncError('unauthenticated', 'The access token has expired')
    }
    return {
      userId: userId as UserId,
      userName: userId,
      sessionId: userId,
      tokenExpiresAt: Number(expiresAt),
    }
  }

  const endless = { ops: Infinity, bytes: Infinity }
  const quotas = {
    allotmentOf: async () => {
      const any = simServer.isFull ? { ops: 0, bytes: 0 } : endless
      const reasons = { bytes: 'the space is full', ops: '' }
      return { any, deletes: endless, returns: endless, reasons }
    },
    grown: () => {},
  }

  const simServer: SimServer = {
    accounts,
    committers,
    compared,
    isFull: false,
    skewMs: 0,
    disk: { fail: 0, maxDelayMs: 0 },
    get isKeepingAccess() {
      return keeping > 0
    },
    get gateway() {
      return running?.gateway ?? null
    },
    get spaces() {
      if (running === null) throw new Error('the server is down')
      return running.spaces
    },
    log: (spaceId) => opLogs.open(spaceId, seedingEpoch),
    start: () => {
      if (running !== null) return
      let alive = true
      const guarded = (callback: () => void) => () => {
        if (alive) callback()
      }
      const machine: ServerRuntime = {
        worked: () => 0,
        now: () => time.now() + simServer.skewMs,
        monotonic: () => time.now(),
        setTimer: (callback, delayMs) => time.setTimer(guarded(callback), delayMs),
        schedule: (callback) => void time.setTimer(guarded(callback), 0),
      }
      clock = createServerClock({
        runtime: machine,
        stored: {
          newest: () => storedTime,
          note: (now) => void (storedTime = now),
          moved: ({ to }) => void (storedTime = to),
        },
        logger: { info: () => {}, warn: () => {}, error: () => {} },
        metrics,
      })
      const runtime = { ...machine, now: clock.now }
      const storage = createSlowStorage(createInlineStorage(opLogs, randomHexId() as Epoch), {
        time,
        random,
        faults: () => simServer.disk,
        isAlive: () => alive,
      })
      const spaces = createSpaces({
        storage,
        runtime,
        quotas,
        access: accounts,
      })
      const gateway = createGateway({
        spaces,
        access: accounts,
        accessLists: accounts,
        tokens: { verify },
        runtime,
        metrics,
      })
      running = { gateway, spaces, stop: () => (alive = false) }
    },
    kill: () => {
      running?.stop()
      running = null
      keeping = 0
    },
    backUp: (what = 'everything') => {
      if (what !== 'accounts') [backup, goneInBackup] = [copyOf(logs), new Set(gone)]
      if (what !== 'logs') accounts.backUp()
    },
    restore: (what) => {
      if (running !== null) throw new Error('the server runs')
      if (what !== 'accounts') [logs, gone] = [copyOf(backup), new Set(goneInBackup)]
      if (what !== 'logs') accounts.restore()
    },
    deleteSpace: (spaceId) => {
      running?.gateway.spaceDeleted(spaceId)
      void running?.spaces.delete(spaceId)
      accounts.delete(spaceId)
    },
    tokenFor: (userId) => `${userId} ${clock.now() + tokenLifeMs}`,
    verify,
  }
  return simServer
}
