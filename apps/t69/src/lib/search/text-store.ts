import { openDB, type DBSchema } from 'idb'

import type { FoundChat, FoundMessage } from './chat-texts.ts'

/** The texts of one tree, as they were read from operations: the messages of a chat, or the chats of a space. */
export interface TreeTexts {
  readonly spaceId: string
  readonly treeId: string
  /** What was stored of the tree when it was read: see `localdb.getTreeStates`. */
  readonly state: string
  readonly messages: readonly FoundMessage[]
  readonly chats: readonly FoundChat[]
}

/** Keeps texts between visits. */
export interface TextStore {
  loadAll(): Promise<TreeTexts[]>
  /** Forgets also how often the trees were tried. */
  save(texts: readonly TreeTexts[]): Promise<void>
  remove(keys: readonly TreeKey[]): Promise<void>
  /**
   * Notes which tree is about to be read; undefined once all are. A tree that takes more memory than the browser gives a page
   * ends the page, and the worker with it: the note stays.
   */
  noteReading(key: TreeKey | undefined): Promise<void>
  /** How often the worker has ended while it read a tree, for each such tree. A note that is found counts. */
  loadTries(): Promise<{ readonly key: TreeKey; readonly tries: number }[]>
}

export type TreeKey = readonly [spaceId: string, treeId: string]

interface Schema extends DBSchema {
  texts: { key: [string, string]; value: TreeTexts }
  tries: { key: [string, string]; value: number }
  reading: { key: 'now'; value: [string, string] }
}

/**
 * A database of its own, which holds nothing that t69's does not: it can be deleted at any time. Raise the version when texts
 * are read differently.
 */
export async function openTextStore(): Promise<TextStore> {
  const db = await openDB<Schema>('t69-search', 2, {
    upgrade(db) {
      for (const name of db.objectStoreNames) db.deleteObjectStore(name)
      db.createObjectStore('texts', { keyPath: ['spaceId', 'treeId'] })
      db.createObjectStore('tries')
      db.createObjectStore('reading')
    },
    // A page with a newer release wants to open it.
    blocking: (_version, _newer, event) => {
      if (event.target instanceof IDBDatabase) event.target.close()
    },
  })
  return {
    loadAll: () => db.getAll('texts'),
    async save(texts) {
      const write = db.transaction(['texts', 'tries'], 'readwrite')
      for (const each of texts) {
        void write.objectStore('texts').put(each)
        void write.objectStore('tries').delete([each.spaceId, each.treeId])
      }
      await write.done
    },
    async remove(keys) {
      const write = db.transaction(['texts', 'tries'], 'readwrite')
      for (const [spaceId, treeId] of keys) {
        void write.objectStore('texts').delete([spaceId, treeId])
        void write.objectStore('tries').delete([spaceId, treeId])
      }
      await write.done
    },
    async noteReading(key) {
      if (key === undefined) await db.delete('reading', 'now')
      else await db.put('reading', [...key], 'now')
    },
    async loadTries() {
      const write = db.transaction(['tries', 'reading'], 'readwrite')
      const [tries, reading] = [write.objectStore('tries'), write.objectStore('reading')]
      const ended = await reading.get('now')
      if (ended !== undefined) {
        void reading.delete('now')
        void tries.put(((await tries.get(ended)) ?? 0) + 1, ended)
      }
      const [keys, counts] = await Promise.all([tries.getAllKeys(), tries.getAll()])
      await write.done
      return keys.map((key, index) => ({ key, tries: counts[index] ?? 0 }))
    },
  }
}
