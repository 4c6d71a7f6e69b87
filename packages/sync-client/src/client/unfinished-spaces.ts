import { spaceIdSchema, type SpaceId } from '@t69/protocol'
import { z } from 'zod'

import type { Runtime } from '../runtime/index.ts'
import type { ClientStorage } from '../storage/index.ts'

/**
 * Spaces that are being copied or imported. Their operations are stored before their record, so that nobody sees a part of one;
 * and nobody would find what the end of a page leaves of one, if it were not noted.
 */
export interface UnfinishedSpaces {
  /**
   * Runs `fill`, which stores the operations of a space, and then `finish`, which stores its record. Leaves nothing if `fill` fails,
   * at once or, if the storage does not let it, later.
   */
  make(spaceId: SpaceId, fill: () => Promise<void>, finish: () => Promise<void>): Promise<void>
  /** Removes what is left of those that were begun long ago. Never rejects. */
  removeOld(): Promise<void>
}

/** Longer than any import takes: another tab may be at it. */
const maxMs = 24 * 60 * 60_000

const configKey = 'syncUnfinishedSpaces'

const notesSchema = z.array(z.object({ id: spaceIdSchema, begunAt: z.number() }))
type Note = z.output<typeof notesSchema>[number]

export function createUnfinishedSpaces(
  storage: Pick<ClientStorage, 'getConfig' | 'putConfig' | 'getSpace' | 'deleteSpace'>,
  { now }: Pick<Runtime, 'now'>,
): UnfinishedSpaces {
  let changed: Promise<void> = Promise.resolve()

  const read = async (): Promise<readonly Note[]> =>
    notesSchema.safeParse(await storage.getConfig(configKey)).data ?? []

  /** One after another: each reads what the one before has written. */
  function change(to: (notes: readonly Note[]) => readonly Note[]): Promise<void> {
    const write = async (): Promise<void> => {
      const notes = to(await read())
      await storage.putConfig(configKey, notes.length === 0 ? undefined : notes)
    }
    const done = changed.then(write)
    changed = done.catch(() => {})
    return done
  }

  const forget = (spaceId: SpaceId): Promise<void> =>
    change((notes) => notes.filter(({ id }) => id !== spaceId))

  async function remove(spaceId: SpaceId): Promise<void> {
    if ((await storage.getSpace(spaceId)) === undefined) await storage.deleteSpace(spaceId)
    await forget(spaceId)
  }

  return {
    async make(spaceId, fill, finish) {
      await change((notes) => [...notes, { id: spaceId, begunAt: now() }])
      try {
        await fill()
      } catch (error) {
        // What cannot be removed now is removed later.
        await remove(spaceId).catch(() => {})
        throw error
      }
      await finish()
      await forget(spaceId).catch(() => {})
    },
    async removeOld() {
      try {
        for (const { id, begunAt } of await read()) if (now() - begunAt > maxMs) await remove(id)
      } catch {
        // It is tried again when this device opens next.
      }
    },
  }
}
