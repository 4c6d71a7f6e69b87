import { expect, it } from 'vitest'

import { op, spaceId } from '../machine/testing/machine-world.ts'
import { createManualTime, turns } from '../runtime/testing/manual-time.ts'
import { createPageJournal, noJournal, type PageJournal } from '../storage/index.ts'
import { memoryStorage } from '../storage/memory-storage.ts'
import { createOpenSpaces } from './open-spaces.ts'

const found = {
  id: spaceId,
  uri: `browser://${spaceId}`,
  name: 'Notes',
  createdAt: new Date(0),
  userId: null,
}

function setUp(journal: PageJournal = noJournal) {
  const storage = memoryStorage()
  const time = createManualTime()
  const spaces = createOpenSpaces(
    {
      server: 'http://127.0.0.1:1/',
      storage,
      journal,
      runtime: time,
      account: { user: null, mayUse: () => true } as never,
      directory: { roleOf: () => null, hasOther: () => false } as never,
      tab: 'this',
      tell: () => {},
      onUnusable: () => {},
    },
    () => {},
  )
  return { storage, time, spaces }
}

it('a space that is open again stays open when the one before, which was deleted meanwhile, has closed', async () => {
  const { storage, spaces } = setUp()
  await storage.putSpace(found)
  const before = await spaces.open(found, true)
  const append = storage.appendLocal.bind(storage)
  const { promise: disk, resolve: finishWrites } = Promise.withResolvers<void>()
  storage.appendLocal = (...edits) => disk.then(() => append(...edits))
  before.root.root!.setProperty('last', 'words')
  const closing = before.close()
  spaces.get(spaceId)!.abandon()
  const again = await spaces.open(found, false)
  finishWrites()
  await closing
  expect(await spaces.get(spaceId)?.space).toBe(again)
  expect(spaces.ids()).toEqual([spaceId])
  await spaces.close()
})

it('a space that cannot be opened tries no more to store the edits that it took over', async () => {
  const notes = new Map<string, string>()
  const journal = createPageJournal(
    {
      get length() {
        return notes.size
      },
      key: (index) => [...notes.keys()][index] ?? null,
      getItem: (key) => notes.get(key) ?? null,
      setItem: (key, value) => void notes.set(key, value),
      removeItem: (key) => void notes.delete(key),
    },
    'notes/',
  )
  const { storage, time, spaces } = setUp(journal)
  await storage.putSpace(found)
  journal.hold(spaceId, [op(1)])
  storage.readTree = () => Promise.reject(new Error('the disk is gone'))
  storage.appendLocal = () => Promise.reject(new Error('the disk is gone'))
  await expect(spaces.open(found, false)).rejects.toThrow('the disk is gone')
  await turns()
  expect(time.waiting).toEqual([])
  expect(spaces.get(spaceId)).toBeUndefined()
  expect(journal.noted(spaceId)).toEqual([op(1)])
})
