import type { SpaceId, UserId } from '@t69/protocol'

import type { MachineStart } from '../machine/index.ts'
import { backoffMs, type Runtime } from '../runtime/index.ts'
import {
  isLocalUri,
  SupersededError,
  unsynced,
  type ClientStorage,
  type StoredSpace,
} from '../storage/index.ts'
import type { SyncStart } from './space-sync.ts'
import type { WatchedSpace } from './watched-space.ts'

/**
 * Decides which spaces of the signed-in user are synced: those that a tab has open, and the others until the server
 * has all of their edits, or has them back.
 */
export interface WatchList {
  get(spaceId: SpaceId): WatchedSpace | undefined
  all(): Iterable<WatchedSpace>
  isOpen(spaceId: SpaceId): boolean
  /** Sets all spaces that a tab has open. Returns those that it has opened, and those that no tab has open any more. */
  opened(tab: string, spaceIds: readonly SpaceId[]): Record<'entered' | 'left', readonly SpaceId[]>
  /** Watches a space that a tab has just opened, and that is not watched, unless it turns out that it cannot be stored. */
  enter(spaceId: SpaceId, start: SyncStart): WatchedSpace
  /** The space's outbox may hold a new edit. */
  edited(spaceId: SpaceId): void
  /** The server has lost the space: watches it until `settled`, so that it is registered again. */
  restore(spaceId: SpaceId): void
  /** The space is up to date, or refused. */
  settled(spaceId: SpaceId): void
  /** Starts and stops watching spaces as needed. Never rejects: a failure is retried. */
  align(): Promise<void>
  /** Watches the spaces of this user from now on; none for null. */
  setUser(userId: UserId | null): Promise<void>
  /** Stops watching a space that is about to be deleted. */
  forget(spaceId: SpaceId): Promise<void>
  /** Stops watching all of them. */
  stop(): Promise<void>
}

export interface WatchListDeps {
  readonly storage: ClientStorage
  readonly runtime: Runtime
  /** Whether the space is of this user at the server. */
  readonly isOf: (space: StoredSpace, userId: UserId) => boolean
  readonly watch: (spaceId: SpaceId, start: SyncStart) => WatchedSpace
  /** Called when the space is in the list. */
  readonly onWatched: (space: WatchedSpace) => void
  /** Called when a write failed because another tab leads, and has written. */
  readonly onSuperseded: () => void
}

export function createWatchList(deps: WatchListDeps): WatchList {
  const { storage, runtime } = deps
  const openIn = new Map<string, ReadonlySet<SpaceId>>()
  const watched = new Map<SpaceId, WatchedSpace>()
  /** Spaces that are not watched and may have edits that the server lacks: they have to be checked. */
  const unchecked = new Set<SpaceId>()
  /** Spaces that the server has lost and that this device registers again. */
  const lost = new Set<SpaceId>()
  /** Every stored space has been checked, or is in `unchecked`. */
  let hasListed = false
  let userId: UserId | null = null
  let stopped = false
  /** The last pass that was asked for. Passes run one at a time. */
  let lastPass: Promise<void> = Promise.resolve()
  let failures = 0
  let cancelRetry = (): void => {}

  /** Asked of each space whenever one is opened. */
  function isOpen(spaceId: SpaceId): boolean {
    for (const spaceIds of openIn.values()) if (spaceIds.has(spaceId)) return true
    return false
  }

  /** The space, if it syncs for the user who is signed in. */
  async function find(spaceId: SpaceId): Promise<StoredSpace | undefined> {
    const found = await storage.getSpace(spaceId)
    return found !== undefined && userId !== null && deps.isOf(found, userId) ? found : undefined
  }

  /** Whether the server may lack operations of the space: unsent edits, or those that a reconciliation would find. */
  async function isUnfinished(spaceId: SpaceId): Promise<boolean> {
    if ((await find(spaceId)) === undefined) return false
    if (lost.has(spaceId) || (await storage.countPending(spaceId)).pending > 0) return true
    return (await storage.getSyncState(spaceId))?.reconciling === true
  }

  async function startOf({ id: spaceId, uri }: StoredSpace): Promise<MachineStart> {
    let saved = await storage.getSyncState(spaceId)
    if (saved === undefined) {
      saved = unsynced
      await storage.putSyncState(spaceId, saved)
    }
    const { registration, seal } = await storage.getProof(spaceId)
    const hasJoined = saved.identity !== null || saved.logId !== null
    return {
      saved,
      seal,
      // Registering is repeated until a join has stored the identity that the server gave.
      registered: hasJoined || (registration === null && !isLocalUri(uri)),
      isBare: !hasJoined && (await storage.listTrees(spaceId)).length === 0,
    }
  }

  async function watch(spaceId: SpaceId): Promise<void> {
    const found = await find(spaceId)
    if (found === undefined || found.userId === null) return
    const start = await startOf(found)
    // It may have been entered meanwhile.
    if (stopped || watched.has(spaceId)) return
    deps.onWatched(add(spaceId, { ...start, userId: found.userId }))
  }

  function add(spaceId: SpaceId, start: SyncStart): WatchedSpace {
    const space = deps.watch(spaceId, start)
    watched.set(spaceId, space)
    return space
  }

  async function unwatch(spaceId: SpaceId): Promise<void> {
    const space = watched.get(spaceId)
    watched.delete(spaceId)
    await space?.stop()
  }

  async function watchWanted(): Promise<void> {
    const isActive = !stopped && userId !== null
    for (const spaceId of watched.keys()) {
      if (!isActive || !(isOpen(spaceId) || (await isUnfinished(spaceId)))) await unwatch(spaceId)
    }
    if (!isActive) return
    for (const spaceIds of openIn.values()) {
      for (const spaceId of spaceIds) if (!watched.has(spaceId)) await watch(spaceId)
    }
    if (!hasListed) for (const { id } of await storage.listSpaces()) unchecked.add(id)
    hasListed = true
    for (const spaceId of unchecked) {
      // Deleted before the check: an edit that is stored during the check adds the space again.
      unchecked.delete(spaceId)
      try {
        if (!watched.has(spaceId) && (await isUnfinished(spaceId))) await watch(spaceId)
      } catch (error) {
        unchecked.add(spaceId)
        throw error
      }
    }
  }

  function align(): Promise<void> {
    cancelRetry()
    lastPass = lastPass.then(watchWanted).then(
      () => void (failures = 0),
      (error: unknown) => {
        if (stopped) return
        if (error instanceof SupersededError) return deps.onSuperseded()
        cancelRetry = runtime.setTimer(() => void align(), backoffMs(failures++, runtime))
      },
    )
    return lastPass
  }

  return {
    get: (spaceId) => watched.get(spaceId),
    all: () => watched.values(),
    isOpen,
    opened(tab, spaceIds) {
      const before = openIn.get(tab) ?? new Set()
      if (spaceIds.length === 0) openIn.delete(tab)
      else openIn.set(tab, new Set(spaceIds))
      void align()
      return {
        entered: spaceIds.filter((spaceId) => !before.has(spaceId)),
        left: Array.from(before).filter((spaceId) => !isOpen(spaceId)),
      }
    },
    enter(spaceId, start) {
      const space = add(spaceId, start)
      // It would wait for ever. Whoever opens the space again begins anew.
      start.stored?.catch(() => {
        if (watched.get(spaceId) === space) void unwatch(spaceId)
      })
      return space
    },
    edited(spaceId) {
      const isHere = isOpen(spaceId)
      const space = watched.get(spaceId)
      space?.edited()
      if (isHere && space !== undefined) return
      // The edit was stored for a tab that is gone or of an older release; or the space may be closed before it is
      // watched.
      unchecked.add(spaceId)
      if (!isHere) void align()
    },
    restore(spaceId) {
      lost.add(spaceId)
      unchecked.add(spaceId)
      void align()
    },
    settled(spaceId) {
      if (lost.delete(spaceId)) void align()
    },
    align,
    setUser(next) {
      userId = next
      lost.clear()
      hasListed = false
      return align()
    },
    async forget(spaceId) {
      for (const [tab, spaceIds] of openIn) {
        openIn.set(tab, new Set(Array.from(spaceIds).filter((id) => id !== spaceId)))
      }
      lastPass = lastPass.then(() => unwatch(spaceId))
      await align()
    },
    async stop() {
      stopped = true
      await align()
      cancelRetry()
    },
  }
}
