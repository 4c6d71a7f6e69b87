import { opKey, spaceIdSchema, treeOperationSchema, type SpaceId, type TreeOperation } from '@t69/protocol'
import { z } from 'zod'

import type { ClientStorage } from './client-storage.ts'

/**
 * Edits on their way into IndexedDB, kept in `localStorage` for those milliseconds. A page that is reloaded
 * or killed takes its unfinished transactions with it; what `localStorage` was given is kept by the browser
 * at once. The next page stores what it finds. An edit that is stored twice is the same edit.
 */
export interface PageJournal {
  /** Notes the edits before `write` begins, and forgets them when it has ended well. */
  around(spaceId: SpaceId, ops: readonly TreeOperation[], write: () => Promise<void>): Promise<void>
  /** Notes edits whose write has to wait: the same ones, and those that followed, will come to `around`. */
  hold(spaceId: SpaceId, ops: readonly TreeOperation[]): void
  /** Every edit of the space that is noted now. */
  noted(spaceId: SpaceId): TreeOperation[]
  /** The same, noted anew as what one call of `hold` was given: whoever calls it goes on to write them. */
  takeOver(spaceId: SpaceId): TreeOperation[]
  /** Puts into the storage what a page before this one could not finish. Never rejects. */
  recover(storage: ClientStorage): Promise<Recovered>
}

export interface Recovered {
  readonly stored: readonly NotedEdits[]
  /** Spaces whose edits the storage did not take. They stay noted. */
  readonly left: ReadonlySet<SpaceId>
}

/** As `localStorage` has it. */
export type JournalStore = Pick<Storage, 'length' | 'key' | 'getItem' | 'setItem' | 'removeItem'>

const prefix = 't69-edits/'
/** Larger edits come from programs, which await `stored()`. `localStorage` has 5 MB for everything. */
const maxNoteLength = 100_000

const noteSchema = z.object({ spaceId: spaceIdSchema, ops: z.array(treeOperationSchema) })
export type NotedEdits = z.infer<typeof noteSchema>

export function createPageJournal(store: JournalStore): PageJournal {
  function notes(): { key: string; text: string | null; note: NotedEdits | null }[] {
    const keys = Array.from({ length: store.length }, (_, index) => store.key(index) ?? '')
    return keys
      .filter((key) => key.startsWith(prefix))
      .map((key) => ({ key, text: store.getItem(key) }))
      .map(({ key, text }) => ({ key, text, note: parse(text) }))
  }

  /** Notes edits in as many pieces as it takes. A piece that is repeated, with more edits, replaces its note. */
  function write(spaceId: SpaceId, ops: readonly TreeOperation[]): string[] {
    const keys: string[] = []
    for (const piece of pieces(ops)) {
      // Named for its first edit.
      const key = prefix + spaceId + '/' + piece.name
      if (set(store, key, `{"spaceId":"${spaceId}","ops":[${piece.texts.join()}]}`)) keys.push(key)
    }
    return keys
  }

  const noted = (spaceId: SpaceId): TreeOperation[] =>
    notes().flatMap(({ note }) => (note?.spaceId === spaceId ? note.ops : []))

  return {
    noted,
    async around(spaceId, ops, persist) {
      const keys = write(spaceId, ops)
      await persist()
      for (const key of keys) store.removeItem(key)
    },
    hold: (spaceId, ops) => void write(spaceId, ops),
    takeOver(spaceId) {
      const before = notes().filter(({ note }) => note?.spaceId === spaceId)
      const ops = before.flatMap(({ note }) => note?.ops ?? [])
      const keys = new Set(write(spaceId, ops))
      const isNotedAnew = keys.size === pieces(ops).length
      for (const { key } of before) if (isNotedAnew && !keys.has(key)) store.removeItem(key)
      return ops
    },
    async recover(storage) {
      const stored: NotedEdits[] = []
      const left = new Set<SpaceId>()
      for (const { key, text, note } of notes()) {
        try {
          if (note !== null && (await storage.getSpace(note.spaceId)) !== undefined) {
            await storage.appendLocal(note.spaceId, note.ops)
            stored.push(note)
          }
          // Unless the tab that made it, which may live, has added to it.
          if (store.getItem(key) === text) store.removeItem(key)
        } catch {
          // The storage does not take it now.
          if (note !== null) left.add(note.spaceId)
        }
      }
      return { stored, left }
    },
  }
}

/** Where there is no such store, nothing is noted. */
export const noJournal: PageJournal = {
  around: (_spaceId, _ops, write) => write(),
  hold: () => {},
  noted: () => [],
  takeOver: () => [],
  recover: async () => ({ stored: [], left: new Set() }),
}

function pieces(ops: readonly TreeOperation[]): { readonly name: string; readonly texts: string[] }[] {
  const made: { name: string; texts: string[]; length: number }[] = []
  for (const op of ops) {
    const text = JSON.stringify(op)
    if (text.length > maxNoteLength) continue
    const last = made.at(-1)
    if (last !== undefined && last.length + text.length <= maxNoteLength) {
      last.texts.push(text)
      last.length += text.length
    } else made.push({ name: opKey(op), texts: [text], length: text.length })
  }
  return made
}

function set(store: JournalStore, key: string, text: string): boolean {
  try {
    store.setItem(key, text)
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
