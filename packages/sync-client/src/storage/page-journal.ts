import { opKey, spaceIdSchema, treeOperationSchema, type SpaceId, type TreeOperation } from '@t69/protocol'
import { z } from 'zod'

import type { ClientStorage } from './client-storage.ts'

/**
 * Notes edits in `localStorage` for the milliseconds until IndexedDB has them. A page that is reloaded or killed loses
 * its unfinished transactions, while `localStorage` is kept by the browser at once. The next page stores the noted
 * edits. Storing an edit twice is harmless.
 */
export interface PageJournal {
  /** Notes the edits, calls `write`, and removes the notes when it has succeeded. Rejects as `write` does. */
  around(spaceId: SpaceId, ops: readonly TreeOperation[], write: () => Promise<void>): Promise<void>
  /** Notes edits whose write has to wait. A later `around` must be given them again, together with those after them. */
  hold(spaceId: SpaceId, ops: readonly TreeOperation[]): void
  /** Returns every noted edit of the space. */
  noted(spaceId: SpaceId): TreeOperation[]
  /** Returns every noted edit of the space, noted again as by one call of `hold`. The caller has to write them. */
  takeOver(spaceId: SpaceId): TreeOperation[]
  /** Removes every note of the space, which is removed from this device. */
  forget(spaceId: SpaceId): void
  /** Stores the edits that an earlier page noted and could not store. Never rejects. */
  recover(storage: ClientStorage): Promise<Recovered>
}

export interface Recovered {
  readonly stored: readonly NotedEdits[]
  /** The spaces whose edits the storage refused. Those stay noted. */
  readonly unstored: ReadonlySet<SpaceId>
}

/** The part of `localStorage` that a journal needs. */
export type JournalStore = Pick<Storage, 'length' | 'key' | 'getItem' | 'setItem' | 'removeItem'>

/**
 * The longest note, in UTF-16 code units. A larger edit is not noted: it comes from a program, which can await
 * `stored()`. `localStorage` has 5 MB for everything.
 */
const maxNoteLength = 100_000

const noteSchema = z.object({ spaceId: spaceIdSchema, ops: z.array(treeOperationSchema) })
export type NotedEdits = z.infer<typeof noteSchema>

/** `prefix` begins the keys of all notes. Every database has a prefix of its own. */
export function createPageJournal(store: JournalStore, prefix: string): PageJournal {
  function notes(): { key: string; text: string | null; note: NotedEdits | null }[] {
    const keys = Array.from({ length: store.length }, (_, index) => store.key(index) ?? '')
    return keys
      .filter((key) => key.startsWith(prefix))
      .map((key) => ({ key, text: store.getItem(key) }))
      .map(({ key, text }) => ({ key, text, note: parse(text) }))
  }

  /** A note is named for its first edit. */
  const keyOf = (spaceId: SpaceId, name: string): string => `${prefix}${spaceId}/${name}`

  /** Notes edits in as many pieces as needed. A piece that is noted again, with more edits, replaces its note. */
  function write(spaceId: SpaceId, ops: readonly TreeOperation[]): string[] {
    const keys: string[] = []
    for (const piece of pieces(ops)) {
      const key = keyOf(spaceId, piece.name)
      if (set(store, key, `{"spaceId":"${spaceId}","ops":[${piece.texts.join()}]}`)) keys.push(key)
    }
    return keys
  }

  const noted = (spaceId: SpaceId): TreeOperation[] =>
    notes().flatMap(({ note }) => (note?.spaceId === spaceId ? note.ops : []))

  return {
    noted,
    async around(spaceId, ops, persist) {
      write(spaceId, ops)
      await persist()
      // Also those of earlier attempts, in which the edits were noted in other pieces.
      for (const op of ops) store.removeItem(keyOf(spaceId, opKey(op)))
    },
    hold: (spaceId, ops) => void write(spaceId, ops),
    takeOver(spaceId) {
      const before = notes().filter(({ note }) => note?.spaceId === spaceId)
      const ops = before.flatMap(({ note }) => note?.ops ?? [])
      const keys = new Set(write(spaceId, ops))
      const isComplete = keys.size === pieces(ops).length
      for (const { key } of before) if (isComplete && !keys.has(key)) store.removeItem(key)
      return ops
    },
    forget(spaceId) {
      for (const { key, note } of notes()) if (note?.spaceId === spaceId) store.removeItem(key)
    },
    async recover(storage) {
      const stored: NotedEdits[] = []
      const unstored = new Set<SpaceId>()
      for (const { key, text, note } of notes()) {
        try {
          if (note !== null && (await storage.getSpace(note.spaceId)) !== undefined) {
            await storage.appendLocal(note.spaceId, note.ops)
            stored.push(note)
          }
          // The tab that made the note may still be open, and have added to it: then it stays.
          if (store.getItem(key) === text) store.removeItem(key)
        } catch {
          // The storage refuses the edits now: their note stays.
          if (note !== null) unstored.add(note.spaceId)
        }
      }
      return { stored, unstored }
    },
  }
}

/** The journal of a page without `localStorage`: it notes nothing. */
export const noJournal: PageJournal = {
  around: (_spaceId, _ops, write) => write(),
  hold: () => {},
  noted: () => [],
  takeOver: () => [],
  forget: () => {},
  recover: async () => ({ stored: [], unstored: new Set() }),
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
    // The store is full or refuses: the edit is written to IndexedDB all the same.
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
