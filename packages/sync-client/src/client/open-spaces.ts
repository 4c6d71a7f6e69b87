import { SyncError, type SpaceId } from '@t69/protocol'

import type { Space } from '../api.ts'
import { openTabSpace, type TabSpace, type TabSpaceDeps } from '../space/index.ts'
import type { StoredSpace } from '../storage/index.ts'
import type { SpaceMessage } from '../tabs/index.ts'

/** The spaces that this tab has open, and those of them that are locked. */
export interface OpenSpaces {
  /** Also one that is locked. */
  get(spaceId: SpaceId): TabSpace | undefined
  /** The ids of those that are not locked. */
  ids(): SpaceId[]
  /** Those that are not locked. */
  all(): readonly TabSpace[]
  /**
   * Opens a space that is stored here. `isNew`: it was just created, and has no tree yet. Throws `unavailable` once all of them
   * are closed.
   */
  open(found: StoredSpace, isNew: boolean): Promise<Space>
  hear(message: SpaceMessage, isOwn: boolean): void
  /**
   * Locks the spaces that the user who is signed in now may not use, and abandons those that are being forgotten.
   * Resolves when the last edits are stored.
   */
  lock(): Promise<void>
  /**
   * Opens the locked spaces again that the user who is signed in now may use. Resolves when they are open. Never rejects: what
   * cannot be read now is read when the app opens the space, and then reported.
   */
  unlock(): Promise<void>
  /** Closes all of them. Returns the errors of those whose last edits could not be stored. */
  close(): Promise<unknown[]>
}

/** `onChange` is called when a space was opened or closed, locked or unlocked. */
export function createOpenSpaces(
  deps: Omit<TabSpaceDeps, 'onClosed' | 'onLockChanged'>,
  onChange: () => void,
): OpenSpaces {
  const spaces = new Map<SpaceId, TabSpace>()
  /** Those that are not locked. They are named whenever one is opened, so they are not looked for among all then. */
  const unlocked = new Set<SpaceId>()
  let isClosed = false

  /** Does nothing if the space is gone already, and perhaps open again. */
  function remove(space: TabSpace): void {
    const { id } = space.record
    if (spaces.get(id) !== space) return
    spaces.delete(id)
    unlocked.delete(id)
    onChange()
  }

  function lockChanged(spaceId: SpaceId): void {
    if (spaces.get(spaceId)?.isLocked === false) unlocked.add(spaceId)
    else unlocked.delete(spaceId)
    onChange()
  }

  return {
    get: (spaceId) => spaces.get(spaceId),
    ids: () => Array.from(unlocked),
    all: () => Array.from(spaces.values()).filter((space) => !space.isLocked),
    open(found, isNew) {
      if (isClosed) throw new SyncError('unavailable', 'The client is closed')
      const spaceId = found.id
      const made: TabSpace = openTabSpace(
        found,
        { ...deps, onClosed: () => remove(made), onLockChanged: () => lockChanged(spaceId) },
        { isNew },
      )
      spaces.set(spaceId, made)
      unlocked.add(spaceId)
      made.takeOver()
      onChange()
      // One that could not be opened still tries to store the edits that it has taken over.
      made.space.catch(() => void made.close().catch(() => {}))
      return made.space
    },
    hear(message, isOwn) {
      if ('spaceId' in message) spaces.get(message.spaceId)?.hear(message, isOwn)
      else for (const space of spaces.values()) space.hear(message, isOwn)
    },
    async lock() {
      const { account } = deps
      const { forgetting } = account
      const locking: Promise<void>[] = []
      for (const [spaceId, space] of Array.from(spaces)) {
        if (account.mayUse(space.record)) continue
        if (forgetting.some((userId) => account.isOf(space.record, userId))) space.abandon()
        else {
          locking.push(space.lock())
          // Also of one that is still being opened, which is closed.
          unlocked.delete(spaceId)
        }
      }
      await Promise.all(locking)
    },
    async unlock() {
      await Promise.allSettled(Array.from(spaces.values(), (space) => space.unlock()))
    },
    async close() {
      // A call that is under way must not open a space that nobody closes any more.
      isClosed = true
      const errors: unknown[] = []
      for (const space of Array.from(spaces.values())) {
        await space.close().catch((error: unknown) => errors.push(error))
      }
      return errors
    },
  }
}
