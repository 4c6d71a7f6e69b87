import { opKey, spaceIdSchema, treeOperationSchema, type SpaceId, type TreeOperation } from '@t69/protocol'
import { z } from 'zod'

import type { ClientStorage } from './storage.ts'

/**
 * Edits on their way into IndexedDB, kept in `localStorage` for those milliseconds. A page that is reloaded
 * or killed takes its unfinished transactions with it; what `localStorage` was given is kept by the browser
 * at once. The next page stores what it finds. An edit that is stored twice is the same edit.
 */
export interface PageJournal {
  /** Notes the edits before `write` begins, and forgets them when it has ended well. */
  around(spaceId: SpaceId, ops: readonly TreeOperation[], write: () => Promise<void>): Promise<void>
  /** Puts into the storage what a page before this one could not finish, and returns it. Never rejects. */
  recover(storage: ClientStorage): Promise<readonly NotedEdits[]>
}

/** As `localStorage` has it. */
export type Shelf = Pick<Storage, 'length' | 'key' | 'getItem' | 'setItem' | 'removeItem'>

const prefix = 't69-edits/'
/** Larger edits come from programs, which await `stored()`. `localStorage` has 5 MB for everything. */
const maxNoteLength = 100_000

const noteSchema = z.object({ spaceId: spaceIdSchema, ops: z.array(treeOperationSchema) })
export type NotedEdits = z.infer<typeof noteSchema>

export function createPageJournal(shelf: Shelf): PageJournal {
  return {
    async around(spaceId, ops, write) {
      const [first] = ops
      // Named for its first edit: an attempt that is repeated, with more edits, replaces its note.
      const key = prefix + spaceId + '/' + (first === undefined ? '' : opKey(first))
      const isNoted = note(shelf, key, JSON.stringify({ spaceId, ops }))
      await write()
      if (isNoted) shelf.removeItem(key)
    },
    async recover(storage) {
      const keys = Array.from({ length: shelf.length }, (_, index) => shelf.key(index) ?? '')
      const recovered: NotedEdits[] = []
      for (const key of keys.filter((name) => name.startsWith(prefix))) {
        const left = parse(shelf.getItem(key))
        try {
          if (left !== null && (await storage.getSpace(left.spaceId)) !== undefined) {
            await storage.appendLocal(left.spaceId, left.ops)
            recovered.push(left)
          }
          shelf.removeItem(key)
        } catch {
          // The storage does not take it now. The note stays for the next page.
        }
      }
      return recovered
    },
  }
}

/** Where there is no such shelf, nothing is noted. */
export const noJournal: PageJournal = {
  around: (_spaceId, _ops, write) => write(),
  recover: async () => [],
}

function note(shelf: Shelf, key: string, text: string): boolean {
  if (text.length > maxNoteLength) return false
  try {
    shelf.setItem(key, text)
    return true
  } catch {
    // Full, or refused: the edit is on its way into IndexedDB all the same.
    return false
  }
}

function parse(text: string | null): NotedEdits | null {
  try {
    return noteSchema.safeParse(JSON.parse(text ?? 'null')).data ?? null
  } catch {
    return null
  }
}
