import { type SpaceId, SyncError, type UserId } from '@t69/protocol'

import type { Access, AskedLogs } from '../ports/access.ts'
import type { Spaces } from './spaces.ts'

/** How many logs are asked at a time, so that other requests come between them. */
const logsAtATime = 10

/** Says who may do what after the log of the space was asked too. */
export interface MergedAccess extends Access, AskedLogs {
  /**
   * Asks the logs of all spaces of a user that nobody has asked since the accounts were restored, so that the accounts list
   * to the user what is theirs.
   */
  settle(userId: UserId): Promise<void>
  /**
   * Asks the logs of a user's spaces, some at a time. Rejects with `storage_failed` where one cannot be asked, and nobody has asked
   * it since the accounts were restored: they may have lost members.
   */
  askAll(userId: UserId, spaceIds: readonly SpaceId[]): Promise<void>
  /** Others have changed the accounts: logs are asked again. */
  forget(): void
}

export interface MergedAccessDeps {
  readonly accounts: Access
  readonly spaces: Pick<Spaces, 'withLog' | 'keepAccess'>
  /** Remembers which logs were asked, over restarts of the server. */
  readonly records: {
    unaskedOf(userId: UserId): SpaceId[]
    noteAsked(spaceIds: readonly SpaceId[]): void
  }
}

/**
 * Opens the log of a space before a member's role counts for the first time: the accounts may be older than the log, which
 * knows who was removed. From then on, each change is in both. Where the log cannot be opened, the accounts count.
 */
export function createMergedAccess({ accounts, spaces, records }: MergedAccessDeps): MergedAccess {
  const asked = new Set<SpaceId>()
  /** Users whose spaces are being asked for. */
  const settling = new Map<UserId, Promise<void>>()

  /** Resolves with false if the storage fails, which is logged where it happens. */
  async function trying(ask: () => Promise<void>): Promise<boolean> {
    try {
      await ask()
      return true
    } catch (error) {
      if (!(error instanceof SyncError)) throw error
      return false
    }
  }

  async function ask(spaceId: SpaceId): Promise<void> {
    if (asked.has(spaceId)) return
    await spaces.keepAccess(spaceId)
    asked.add(spaceId)
  }

  /** Resolves with the spaces whose logs were asked, or that have none. */
  async function askAll(spaceIds: readonly SpaceId[]): Promise<SpaceId[]> {
    let withLog: readonly SpaceId[] = []
    const areKnown = await trying(async () => {
      withLog = await spaces.withLog(spaceIds)
    })
    if (!areKnown) return []
    const failed = new Set<SpaceId>()
    async function askOne(spaceId: SpaceId): Promise<void> {
      if (!(await trying(() => ask(spaceId)))) failed.add(spaceId)
    }
    for (let first = 0; first < withLog.length; first += logsAtATime)
      await Promise.all(withLog.slice(first, first + logsAtATime).map(askOne))
    return spaceIds.filter((spaceId) => !failed.has(spaceId))
  }

  async function settle(userId: UserId): Promise<void> {
    const unasked = records.unaskedOf(userId)
    if (unasked.length === 0) return
    const done = await askAll(unasked)
    try {
      records.noteAsked(done)
    } catch {
      // On a full disk people see their list. It is asked for again.
    }
  }

  return {
    roleOf: (spaceId, userId) => accounts.roleOf(spaceId, userId),
    async askLog(spaceId, userId) {
      if (asked.has(spaceId) || accounts.roleOf(spaceId, userId) === undefined) return
      await trying(() => ask(spaceId))
    },
    async settle(userId) {
      const running = settling.get(userId) ?? settle(userId).finally(() => void settling.delete(userId))
      settling.set(userId, running)
      await running
    },
    async askAll(userId, spaceIds) {
      const done = new Set(await askAll(spaceIds))
      if (records.unaskedOf(userId).every((spaceId) => done.has(spaceId))) return
      throw new SyncError('storage_failed', 'The storage of a space fails: nobody knows now who is in it')
    },
    forget: () => asked.clear(),
  }
}
