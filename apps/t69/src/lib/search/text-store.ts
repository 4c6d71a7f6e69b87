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
  save(texts: readonly TreeTexts[]): Promise<void>
  remove(keys: readonly (readonly [spaceId: string, treeId: string])[]): Promise<void>
}

interface Schema extends DBSchema {
  texts: { key: [string, string]; value: TreeTexts }
}

/**
 * A database of its own, which holds nothing that t69's does not: it can be deleted at any time. Raise the version when texts
 * are read differently.
 */
export async function openTextStore(): Promise<TextStore> {
  const db = await openDB<Schema>('t69-search', 1, {
    upgrade(db) {
      for (const name of db.objectStoreNames) db.deleteObjectStore(name)
      db.createObjectStore('texts', { keyPath: ['spaceId', 'treeId'] })
    },
    // A page with a newer release wants to open it.
    blocking: (_version, _newer, event) => {
      if (event.target instanceof IDBDatabase) event.target.close()
    },
  })
  return {
    loadAll: () => db.getAll('texts'),
    async save(texts) {
      const { store, done } = db.transaction('texts', 'readwrite')
      for (const each of texts) void store.put(each)
      await done
    },
    async remove(keys) {
      const { store, done } = db.transaction('texts', 'readwrite')
      for (const [spaceId, treeId] of keys) void store.delete([spaceId, treeId])
      await done
    },
  }
}
