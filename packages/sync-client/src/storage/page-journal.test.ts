import { peerIdSchema, spaceIdSchema, treeIdSchema, vertexIdSchema, type TreeOperation } from '@t69/protocol'
import { expect, test } from 'vitest'

import { memoryStorage } from './memory-storage.ts'
import { createPageJournal, type JournalStore } from './page-journal.ts'

/** Begins the keys of the notes. */
const prefix = 't69-edits/'
const spaceId = spaceIdSchema.parse('a'.repeat(32))
const treeId = treeIdSchema.parse(spaceId)

function edit(clock: number, value?: string): TreeOperation {
  const ids = { peerId: peerIdSchema.parse('1'), treeId, spaceId, targetId: vertexIdSchema.parse('v') }
  return { ...ids, clock, key: 'text', ...(value === undefined ? {} : { value }) }
}

/** A `localStorage` in memory, with room for `room` entries. */
function createStore(room = 100): JournalStore & { readonly texts: Map<string, string> } {
  const texts = new Map<string, string>()
  return {
    texts,
    get length() {
      return texts.size
    },
    key: (index) => Array.from(texts.keys())[index] ?? null,
    getItem: (key) => texts.get(key) ?? null,
    setItem(key, text) {
      if (texts.size >= room) throw new Error('QuotaExceededError')
      texts.set(key, text)
    },
    removeItem: (key) => void texts.delete(key),
  }
}

async function storageWithSpace() {
  const storage = memoryStorage()
  await storage.putSpace({ id: spaceId, uri: '', name: 'A', createdAt: new Date(0), userId: null })
  return storage
}

test('an edit is noted before it is written, and its note removed afterwards', async () => {
  const store = createStore()
  const journal = createPageJournal(store, prefix)
  await journal.around(spaceId, [edit(1, 'x')], async () => expect(store.texts.size).toBe(1))
  expect(store.texts.size).toBe(0)
})

test('edits that were refused in two transactions and are stored in one leave no note', async () => {
  const store = createStore()
  const journal = createPageJournal(store, prefix)
  const refuse = () => Promise.reject(new Error('no room'))
  for (const clock of [1, 2])
    await expect(journal.around(spaceId, [edit(clock)], refuse)).rejects.toThrow('no room')
  expect(journal.noted(spaceId)).toEqual([edit(1), edit(2)])
  await journal.around(spaceId, [edit(1), edit(2)], async () => {})
  expect(store.texts.size).toBe(0)
})

test('edits that a page could not store are stored by the next page, removals included', async () => {
  const store = createStore()
  const page = createPageJournal(store, prefix)
  void page.around(spaceId, [edit(1, 'x'), edit(2)], () => new Promise(() => {}))
  void page.around(spaceId, [edit(3, 'y')], () => new Promise(() => {}))
  const storage = await storageWithSpace()
  const { stored, unstored } = await createPageJournal(store, prefix).recover(storage)
  expect(unstored.size).toBe(0)
  expect(stored.map(({ ops }) => ops.length)).toEqual([2, 1])
  const kept = await storage.readTree(spaceId, treeId)
  expect(kept.toSorted((a, b) => a.clock - b.clock)).toEqual([edit(1, 'x'), edit(2), edit(3, 'y')])
  expect(store.texts.size).toBe(0)
})

test('notes of deleted spaces and unreadable notes are removed without being stored', async () => {
  const store = createStore()
  store.texts.set(`${prefix}1`, JSON.stringify({ spaceId: 'b'.repeat(32), ops: [edit(1, 'x')] }))
  store.texts.set(`${prefix}2`, '{"spaceId":')
  store.texts.set(`${prefix}3`, JSON.stringify({ spaceId, ops: [{ clock: 0 }] }))
  store.texts.set('theme', 'dark')
  const storage = await storageWithSpace()
  await createPageJournal(store, prefix).recover(storage)
  expect(await storage.readTree(spaceId, treeId)).toEqual([])
  expect(Array.from(store.texts.keys())).toEqual(['theme'])
})

test('the notes of a space that is removed from this device go with it', async () => {
  const store = createStore()
  const journal = createPageJournal(store, prefix)
  journal.hold(spaceId, [edit(1, 'x')])
  const other = spaceIdSchema.parse('c'.repeat(32))
  journal.hold(other, [{ ...edit(1, 'y'), spaceId: other }])
  journal.forget(spaceId)
  expect(journal.noted(spaceId)).toEqual([])
  expect(journal.noted(other)).toHaveLength(1)
})

test('edits that the storage refuses during recovery stay noted', async () => {
  const store = createStore()
  void createPageJournal(store, prefix).around(spaceId, [edit(1, 'x')], () => new Promise(() => {}))
  const storage = await storageWithSpace()
  storage.appendLocal = () => Promise.reject(new Error('full'))
  const journal = createPageJournal(store, prefix)
  expect(await journal.recover(storage)).toEqual({ stored: [], unstored: new Set([spaceId]) })
  expect(journal.noted(spaceId)).toEqual([edit(1, 'x')])
})

test('an edit that a tab adds to its note while another tab stores the note stays noted', async () => {
  const store = createStore()
  const writing = createPageJournal(store, prefix)
  writing.hold(spaceId, [edit(1, 'x')])
  const storage = await storageWithSpace()
  const append = storage.appendLocal.bind(storage)
  storage.appendLocal = async (...edits) => {
    writing.hold(spaceId, [edit(1, 'x'), edit(2, 'y')])
    await append(...edits)
  }
  const starting = createPageJournal(store, prefix)
  await starting.recover(storage)
  expect(starting.noted(spaceId)).toContainEqual(edit(2, 'y'))
})

test('an edit is written even if the journal is full', async () => {
  const written: string[] = []
  const journal = createPageJournal(createStore(0), prefix)
  await journal.around(spaceId, [edit(1, 'x')], async () => void written.push('x'))
  expect(written).toEqual(['x'])
})

test('edits whose write failed stay noted, once each, until a write succeeds', async () => {
  const store = createStore()
  const journal = createPageJournal(store, prefix)
  const full = () => Promise.reject(new Error('disk full'))
  await expect(journal.around(spaceId, [edit(1, 'x')], full)).rejects.toThrow('disk full')
  await expect(journal.around(spaceId, [edit(1, 'x'), edit(2, 'y')], full)).rejects.toThrow('disk full')
  expect(store.texts.size).toBe(1)
  expect(Array.from(store.texts.values())[0]).toContain('"y"')
  await journal.around(spaceId, [edit(1, 'x'), edit(2, 'y')], async () => {})
  expect(store.texts.size).toBe(0)
})

test('any number of waiting edits are noted, in notes of bounded size, until their write succeeds', async () => {
  const store = createStore()
  const journal = createPageJournal(store, prefix)
  const edits = Array.from({ length: 30 }, (_, index) => edit(index + 1, 'x'.repeat(20_000)))
  for (const count of [1, 7, 30]) journal.hold(spaceId, edits.slice(0, count))
  expect(journal.noted(spaceId).toSorted((a, b) => a.clock - b.clock)).toEqual(edits)
  expect(Math.max(...Array.from(store.texts.values(), (text) => text.length))).toBeLessThan(101_000)
  await journal.around(spaceId, edits, async () => {})
  expect(store.texts.size).toBe(0)
})

test('a page that takes over the notes of several pages removes all of them when their edits are written', async () => {
  const store = createStore()
  const before = createPageJournal(store, prefix)
  for (const clock of [1, 2, 3]) before.hold(spaceId, [edit(clock, 'x')])
  expect(store.texts.size).toBe(3)
  const journal = createPageJournal(store, prefix)
  const ops = journal.takeOver(spaceId)
  expect(ops).toHaveLength(3)
  expect(store.texts.size).toBe(1)
  await journal.around(spaceId, [...ops, edit(4, 'y')], async () => {})
  expect(store.texts.size).toBe(0)
})

test('the notes of one database are not those of another', async () => {
  const store = createStore()
  void createPageJournal(store, 't69-edits[mine]/').around(spaceId, [edit(1)], () => new Promise(() => {}))
  const journal = createPageJournal(store, prefix)
  expect(journal.noted(spaceId)).toEqual([])
  // It has no such space, and would remove a note of its own.
  expect(await journal.recover(memoryStorage())).toEqual({ stored: [], unstored: new Set() })
  expect(createPageJournal(store, 't69-edits[mine]/').noted(spaceId)).toEqual([edit(1)])
})
