import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { expect, test } from 'vitest'

import { createSyncClient } from '../../client/create-sync-client.ts'
import { openIndexedDbStorage } from './indexeddb-storage.ts'

/** A site's IndexedDB. `clear` does what a browser does when somebody clears the site's data. */
function site() {
  const indexedDB = new IDBFactory()
  return {
    open: () => openIndexedDbStorage({ indexedDB, IDBKeyRange, whenIdle: () => {} }),
    clear: () =>
      new Promise<void>((resolve, reject) => {
        const request = indexedDB.deleteDatabase('localDb')
        request.addEventListener('success', () => resolve())
        request.addEventListener('error', () => reject(request.error ?? new Error('not deleted')))
      }),
  }
}

test('a page notices each deletion of its database, and puts its settings into the new one', async () => {
  const { open, clear } = site()
  const storage = await open()
  const other = await open()
  await storage.putConfig('a', 1)
  expect(await other.getConfig('a')).toBe(1)
  let heard = 0
  const emptied = Promise.withResolvers<void>()
  storage.onEmptied(() => {
    heard++
    emptied.resolve()
  })
  for (let time = 1; time <= 2; time++) {
    const others = Promise.withResolvers<void>()
    const stop = other.onEmptied(() => others.resolve())
    await clear()
    // The first page creates the new database, and the other one finds it.
    expect(await storage.getConfig('a')).toBe(1)
    expect(await other.getConfig('a')).toBe(1)
    await Promise.all([emptied.promise, others.promise])
    stop()
    expect(heard).toBe(time)
  }
  await storage.close()
  await other.close()
})

test('open trees are stored again after the database was deleted, with the edits made since', async () => {
  const { open, clear } = site()
  const storage = await open()
  const client = createSyncClient({ url: 'http://127.0.0.1:9', storage, session: 'storage' })
  const space = await client.createSpace({ name: 'Mine' })
  space.root.root?.newNamedChild('before')
  const chat = await space.createTree()
  chat.root?.newNamedChild('said before')
  await space.stored()
  await clear()
  // The space is in this device's list again.
  const isBack = new Promise<void>((resolve) => void client.onSpaces(resolve))
  space.root.root?.newNamedChild('after')
  await space.stored()
  await isBack
  await client.close()

  const again = createSyncClient({ url: 'http://127.0.0.1:9', storage: await open(), session: 'storage' })
  const [info] = await again.listSpaces()
  expect(info?.name).toBe('Mine')
  const reopened = await again.openSpace(space.id)
  expect(reopened.root.digest()).toBe(space.root.digest())
  expect((await reopened.openTree(space.treeIdOf(chat))).digest()).toBe(chat.digest())
  await again.close()
})
