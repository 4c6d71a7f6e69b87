import type { SpaceId } from '@t69/protocol'

import type { Space } from '../api.ts'
import { openTabSpace, type TabSpace, type TabSpaceDeps } from '../space/index.ts'
import type { StoredSpace } from '../storage/index.ts'
import type { SpaceMessage } from '../tabs/index.ts'

/** The spaces that this tab has open. */
export interface OpenSpaces {
  get(spaceId: SpaceId): TabSpace | undefined
  ids(): SpaceId[]
  all(): Iterable<TabSpace>
  /** Opens a space that is stored here. `isNew`: it was just created, and has no tree yet. */
  open(found: StoredSpace, isNew: boolean): Promise<Space>
  hear(message: SpaceMessage, isOwn: boolean): void
  /** Closes all of them. Returns the errors of those whose last edits could not be stored. */
  close(): Promise<unknown[]>
}

/** `onChange` is called when a space was opened or closed. */
export function createOpenSpaces(deps: Omit<TabSpaceDeps, 'onClosed'>, onChange: () => void): OpenSpaces {
  const spaces = new Map<SpaceId, TabSpace>()

  function remove(spaceId: SpaceId): void {
    spaces.delete(spaceId)
    onChange()
  }

  return {
    get: (spaceId) => spaces.get(spaceId),
    ids: () => [...spaces.keys()],
    all: () => spaces.values(),
    open(found, isNew) {
      const spaceId = found.id
      const made = openTabSpace(found, { ...deps, onClosed: () => remove(spaceId) }, { isNew })
      spaces.set(spaceId, made)
      made.takeOver()
      onChange()
      made.space.catch(() => {
        if (spaces.get(spaceId) === made) remove(spaceId)
      })
      return made.space
    },
    hear(message, isOwn) {
      if ('spaceId' in message) spaces.get(message.spaceId)?.hear(message, isOwn)
      else for (const space of spaces.values()) space.hear(message, isOwn)
    },
    async close() {
      const errors: unknown[] = []
      for (const space of Array.from(spaces.values())) {
        await space.close().catch((error: unknown) => errors.push(error))
      }
      return errors
    },
  }
}
