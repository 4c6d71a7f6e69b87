import 'fake-indexeddb/auto'
import type { LogId, SpaceId, TreeId } from '@t69/protocol'
import { Replica, type Vertex, type VertexOperation } from '@t69/replica'
import { Dexie } from 'dexie'
import { beforeEach, describe, expect, test } from 'vitest'

import { openIndexedDbStorage } from './indexeddb-storage.ts'
import * as localdb from './localdb.ts'
import { seedT69V2, type SeededSpace } from './testing/seed-t69-v2.ts'

const spaceId = 'a'.repeat(32)
const treeId = 'b'.repeat(32)
const pointer: localdb.SpacePointer = {
  id: spaceId,
  uri: `browser://${spaceId}`,
  name: 'Notes',
  createdAt: new Date('2025-06-20T10:00:00Z'),
  userId: null,
}

beforeEach(async () => {
  await localdb.db.delete({ disableAutoOpen: false })
})

function edits(count: number, from = 1): VertexOperation[] {
  return Array.from({ length: count }, (_, index) => ({
    id: { counter: from + index, peerId: '7' },
    targetId: treeId,
    key: 'text',
    value: `value ${from + index}`,
    transient: false,
  }))
}

describe("a database of t69's version 2", () => {
  test('is opened in place, with everything in it', async () => {
    const seeded = await seedT69V2()
    const { pointers, currentSpaceId, config } = await localdb.initializeDatabase()
    expect(localdb.db.verno).toBe(4)
    expect(pointers.map(({ id, name, userId }) => ({ id, name, userId }))).toEqual(
      expect.arrayContaining(seeded.map(({ id, name }) => ({ id, name, userId: null }))),
    )
    expect(currentSpaceId).toBe(seeded[0]!.id)
    expect(config).toEqual({ currentSpaceId })
    for (const space of seeded) await expectKept(space)
    expect((await localdb.getSpaceSetup(seeded[0]!.id))?.colorScheme).toBe('dark')
  })

  test('keeps every row as it was', async () => {
    const seeded = await seedT69V2()
    const before = await allRows('localDb', 2)
    await localdb.db.open()
    const after = await localdb.db.treeOps.toArray()
    expect(after).toEqual(before)
    expect(after).toHaveLength(seeded.reduce((sum, space) => sum + space.operations, 0))
  })

  test('loads its chats into a replica, each message as a child of the one before', async () => {
    for (const space of await seedT69V2()) {
      for (const chat of space.chats) {
        using tree = new Replica({ ops: await localdb.getTreeOps(space.id, chat.treeId) })
        expect(tree.root?.id).toBe(chat.treeId)
        expect(tree.root?.getProperty('title')).toBe(chat.title)
        const named = tree.root?.children.find((vertex) => vertex.getProperty('_n') === 'messages')
        expect(chain(named).map((message) => message.getProperty('text'))).toEqual(
          chat.messages.map((message) => message.text),
        )
      }
    }
  })

  test('gives a client all its chats, and queues all of them when their spaces sync', async () => {
    const seeded = await seedT69V2()
    const storage = await openIndexedDbStorage({ whenIdle: () => undefined })
    expect(storage.volatileReason).toBeNull()
    expect(await storage.listSpaces()).toHaveLength(2)
    for (const { id, name, chats, operations } of seeded) {
      const space = id as SpaceId
      expect((await storage.getSpace(space))?.name).toBe(name)
      for (const chat of chats) {
        const ops = await storage.readTree(space, chat.treeId as TreeId)
        const texts = ops.filter((op) => op.key === 'text').map((op) => op.value)
        for (const { text } of chat.messages) expect(texts).toContain(text)
      }
      const logId = '1'.repeat(32) as LogId
      await storage.putSyncState(space, { identity: null, logId, epoch: null, cursor: 0, reconciling: true })
      expect(await storage.queueMissing(space, logId)).toBe(operations)
      expect(await storage.countPending(space)).toEqual({ pending: operations, rejected: 0 })
    }
    await storage.close()
    for (const space of seeded) await expectKept(space)
  })
})

test('what an app keeps of a space goes with the space, and is not saved once the space is gone', async () => {
  const view = `view:${spaceId}`
  await localdb.savePointers([pointer])
  await localdb.saveSpaceConfig(pointer.id, { [view]: 1 })
  expect(await localdb.getAllConfig()).toMatchObject({ [view]: 1 })
  const saving = localdb.deleteSpace(pointer.id)
  await localdb.saveSpaceConfig(pointer.id, { [view]: 2 })
  await saving
  expect(await localdb.getAllConfig()).not.toHaveProperty([view])
})

test('the seed function works from its source text alone, as in a browser page', async () => {
  const url = `data:text/javascript,${encodeURIComponent(`export default ${seedT69V2.toString()}`)}`
  const module: { default: typeof seedT69V2 } = await import(/* @vite-ignore */ url)
  expect(await module.default()).toEqual(await reseeded())
})

describe("a database of t69's version 1", () => {
  const stores = {
    spaces: '&id, uri, name, createdAt',
    config: '&key',
    treeOps: '&[clock+peerId+treeId+spaceId], spaceId, treeId, [spaceId+treeId], [spaceId+treeId+clock]',
  }
  const row = { clock: 1, peerId: 'p', treeId, spaceId, targetId: treeId, parentId: null }
  const space = { id: spaceId, uri: `browser://${spaceId}`, name: 'Old', createdAt: new Date(0) }

  test('is upgraded: secrets move out of the spaces, which get no owner', async () => {
    const old = new Dexie('localDb')
    old.version(1).stores(stores)
    await old.table('spaces').add({ ...space, secrets: { 'api-key-openai': 'sk-1' }, drafts: { a: 'draft' } })
    await old.table('spaces').add({ ...space, id: treeId, secrets: null })
    await old.table('treeOps').add(row)
    old.close()

    expect(await localdb.getAllSecrets(spaceId)).toEqual({ 'api-key-openai': 'sk-1' })
    const setup = await localdb.getSpaceSetup(spaceId)
    expect(setup).toEqual({ ...space, userId: null, drafts: { a: 'draft' } })
    expect(await localdb.getAllSecrets(treeId)).toBeUndefined()
    expect(await localdb.getTreeOps(spaceId, treeId)).toHaveLength(1)
  })

  test('keeps its secrets if t69 had added their table without a new version', async () => {
    const old = new Dexie('localDb')
    old.version(1).stores({ ...stores, secrets: '&[spaceId+key], spaceId' })
    await old.table('spaces').add({ ...space, secrets: { old: 'from the space', both: 'old' } })
    await old.table('secrets').add({ spaceId, key: 'both', value: 'from the table' })
    old.close()
    expect(await localdb.getAllSecrets(spaceId)).toEqual({ old: 'from the space', both: 'from the table' })
  })

  test('keeps its secrets if Dexie had patched their table into an existing database', async () => {
    const first = new Dexie('localDb')
    first.version(1).stores(stores)
    await first.table('spaces').add(space)
    first.close()
    const patched = new Dexie('localDb')
    patched.version(1).stores({ ...stores, secrets: '&[spaceId+key], spaceId' })
    await patched.table('secrets').add({ spaceId, key: 'k', value: 'v' })
    patched.close()
    expect(await localdb.getAllSecrets(spaceId)).toEqual({ k: 'v' })
    expect(await localdb.getAllPointers()).toHaveLength(1)
  })
})

describe("t69's functions", () => {
  test('pointers are added, replaced and filtered by user; layout, theme and drafts stay', async () => {
    await localdb.savePointers([pointer])
    await localdb.saveTtabsLayout(spaceId, '{}')
    await localdb.saveSpaceTheme(spaceId, 'rocket')
    await localdb.saveSpaceColorScheme(spaceId, 'dark')
    await localdb.saveDraft(spaceId, 'one', 'first')
    await localdb.saveDraft(spaceId, 'two', 'second')
    await localdb.deleteDraft(spaceId, 'one')
    await localdb.savePointers([
      { ...pointer, name: 'Renamed' },
      { ...pointer, id: treeId, userId: 'u' },
    ])
    expect(await localdb.getSpaceSetup(spaceId)).toEqual({
      ...pointer,
      name: 'Renamed',
      ttabsLayout: '{}',
      theme: 'rocket',
      colorScheme: 'dark',
      drafts: { two: 'second' },
    })
    expect(await localdb.getTtabsLayout(spaceId)).toBe('{}')
    expect(await localdb.getDraft(spaceId, 'two')).toBe('second')
    expect(await localdb.getDraft(spaceId, 'one')).toBeUndefined()
    expect(await localdb.getPointersForUser(null)).toHaveLength(1)
    expect(await localdb.getPointersForUser('u')).toHaveLength(2)
    expect(await localdb.getPointersForUser('someone else')).toHaveLength(1)
  })

  test('config and the current space are kept', async () => {
    await localdb.saveConfig({ a: 1, b: { c: true } })
    await localdb.saveCurrentSpaceId(spaceId)
    await localdb.saveCurrentSpaceId(null)
    expect(await localdb.getCurrentSpaceId()).toBe(spaceId)
    expect(await localdb.getAllConfig()).toEqual({ a: 1, b: { c: true }, currentSpaceId: spaceId })
  })

  test('no secret is saved for a space that another tab has forgotten', async () => {
    await localdb.savePointers([pointer])
    await Promise.all([
      localdb.deleteSpace(spaceId),
      expect(localdb.setSecret(spaceId, 'key', 'of a provider')).rejects.toThrow(/no space/),
    ])
    await expect(localdb.saveAllSecrets(spaceId, { key: 'of a provider' })).rejects.toThrow(/no space/)
    expect(await localdb.getAllSecrets(spaceId)).toBeUndefined()
  })

  test('saving some secrets keeps the others', async () => {
    await localdb.savePointers([pointer])
    await localdb.saveAllSecrets(spaceId, { a: '1', b: '2' })
    await localdb.saveAllSecrets(spaceId, { b: '3' })
    await localdb.setSecret(spaceId, 'c', '4')
    await localdb.deleteSecret(spaceId, 'a')
    expect(await localdb.getAllSecrets(spaceId)).toEqual({ b: '3', c: '4' })
    expect(await localdb.getSecret(spaceId, 'b')).toBe('3')
    expect(await localdb.getAllSecrets(treeId)).toBeUndefined()
  })

  test('a space with an owner, or one that does not exist, cannot be associated with a user', async () => {
    await localdb.savePointers([pointer, { ...pointer, id: treeId, userId: 'u' }])
    await localdb.associateLocalSpaceWithUser(spaceId, 'v')
    await expect(localdb.associateLocalSpaceWithUser(spaceId, 'w')).rejects.toThrow(/already belongs/)
    await expect(localdb.associateLocalSpaceWithUser('none', 'w')).rejects.toThrow(/no space/)
    await expect(localdb.makeSpaceLocal('none')).rejects.toThrow(/no space/)
    await localdb.makeSpaceLocal(spaceId)
    await localdb.associateSpacesWithUser('x')
    await localdb.updateSpaceUserId(treeId, 'y')
    const owners = (await localdb.getAllPointers()).map(({ id, userId }) => [id, userId])
    expect(owners).toEqual([
      [spaceId, 'x'],
      [treeId, 'y'],
    ])
  })

  test('operations are read oldest first, from rows and segments, without transient ones', async () => {
    const [first] = edits(1, 2000)
    const removal: VertexOperation = {
      id: { counter: 2001, peerId: '7' },
      targetId: treeId,
      key: 'text',
      value: undefined,
      transient: false,
    }
    await localdb.appendTreeOps(spaceId, treeId, [
      first!,
      removal,
      { ...first!, id: { counter: 9, peerId: '8' }, transient: true },
    ])
    await localdb.appendTreeOps(spaceId, treeId, edits(1000))
    const ops = await localdb.getTreeOps(spaceId, treeId)
    expect(ops).toEqual([...edits(1000), first, removal])
    expect(await localdb.db.treeOps.count()).toBe(2)
    expect(await localdb.getTreeOpCount(spaceId, treeId)).toBe(1002)
    expect([...(await localdb.getAllSpaceTreeOps(spaceId)).keys()]).toEqual([treeId])
    await localdb.deleteTreeOps(spaceId, treeId)
    expect(await localdb.getTreeOpCount(spaceId, treeId)).toBe(0)
  })

  test('edits of a synced space wait in its outbox', async () => {
    const storage = await openIndexedDbStorage({ whenIdle: () => undefined })
    const space = spaceId as SpaceId
    await storage.putSyncState(space, {
      identity: null,
      logId: null,
      epoch: null,
      cursor: 0,
      reconciling: false,
    })
    await localdb.appendTreeOps(spaceId, treeId, edits(3))
    expect((await storage.readOutbox(space, 1000))?.ops.map((op) => op.clock)).toEqual([1, 2, 3])
    await storage.close()
  })

  test('deleting a space removes everything of it, and it is no longer the current space', async () => {
    await localdb.savePointers([pointer])
    await localdb.saveCurrentSpaceId(spaceId)
    await localdb.setSecret(spaceId, 'k', 'v')
    await localdb.appendTreeOps(spaceId, treeId, edits(100))
    await localdb.deleteSpace(spaceId)
    expect(await localdb.getAllPointers()).toEqual([])
    expect(await localdb.getAllSecrets(spaceId)).toBeUndefined()
    expect(await localdb.getTreeOpCount(spaceId, treeId)).toBe(0)
    expect(await localdb.getCurrentSpaceId()).toBeNull()
  })

  test('rows that are not operations are skipped, and the rest is read', async () => {
    const row = { clock: 1, peerId: 'p', treeId, spaceId, targetId: treeId }
    await localdb.db.table('treeOps').bulkAdd([
      { ...row, key: 'nan', value: Number.NaN },
      { ...row, clock: 2, key: 'removed', value: undefined },
      { ...row, clock: 3, parentId: null, key: 'a move all the same', value: 1 },
      { ...row, clock: 4, key: 'at@sign', value: 'old' },
      { ...row, clock: Infinity, key: 'k', value: 1 },
      { ...row, clock: 1.5, key: 'k', value: 1 },
      { ...row, clock: '5', key: 'k', value: 1 },
      { ...row, clock: 6 },
      { ...row, clock: 7, parentId: 3 },
      { ...row, clock: 8, targetId: null, key: 'k', value: 1 },
    ])
    const ops = await localdb.getTreeOps(spaceId, treeId)
    expect(ops.map((op) => op.id.counter)).toEqual([1, 2, 3, 4])
    expect(ops[2]).toEqual({ id: { counter: 3, peerId: 'p' }, targetId: treeId, parentId: null })

    const storage = await openIndexedDbStorage({ whenIdle: () => undefined })
    const [space, logId] = [spaceId as SpaceId, '1'.repeat(32) as LogId]
    await storage.putSyncState(space, { identity: null, logId, epoch: null, cursor: 0, reconciling: true })
    expect(await storage.queueMissing(space, logId)).toBe(2)
    expect((await storage.readRejected(space)).map(({ op }) => op.clock)).toEqual([1, 4])
    await storage.close()
  })
})

async function expectKept(space: SeededSpace): Promise<void> {
  const setup = await localdb.getSpaceSetup(space.id)
  expect(setup?.createdAt).toBeInstanceOf(Date)
  expect(setup?.uri).toBe(`browser://${space.id}`)
  expect(setup?.theme).toBe(space.theme)
  expect(setup?.ttabsLayout).toBe(space.ttabsLayout)
  expect(setup?.drafts).toEqual(space.drafts)
  expect((await localdb.getAllSecrets(space.id)) ?? {}).toEqual(space.secrets)
  const trees = await localdb.getAllSpaceTreeOps(space.id)
  expect(new Set(trees.keys())).toEqual(new Set([space.id, ...space.chats.map((chat) => chat.treeId)]))
  const counts = [...trees.values()].map((ops) => ops.length)
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(space.operations)
}

/** Returns the first child, its first child, and so on. */
function chain(vertex: Vertex | undefined): Vertex[] {
  const next = vertex?.children[0]
  return next === undefined ? [] : [next, ...chain(next)]
}

async function reseeded(): Promise<readonly SeededSpace[]> {
  await localdb.db.delete({ disableAutoOpen: false })
  return seedT69V2()
}

/** Reads the rows of operations without our code, and without raising the version. */
async function allRows(name: string, version: number): Promise<unknown[]> {
  const request = indexedDB.open(name, version * 10)
  const db = await new Promise<IDBDatabase>((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error ?? new Error('no database')))
  })
  const rows = db.transaction('treeOps').objectStore('treeOps').getAll()
  await new Promise((resolve) => rows.addEventListener('success', resolve))
  db.close()
  return rows.result
}

describe('the states of trees', () => {
  test('name each stored tree of the space, and change with every operation that is stored of it', async () => {
    await localdb.savePointers([pointer])
    const other = 'c'.repeat(32)
    expect(await localdb.getTreeStates(spaceId)).toEqual(new Map())
    await localdb.appendTreeOps(spaceId, treeId, edits(3))
    await localdb.appendTreeOps(spaceId, other, edits(1))
    await localdb.appendTreeOps('d'.repeat(32), treeId, edits(1))
    const seen = new Set<string | undefined>()
    const states = async () => await localdb.getTreeStates(spaceId)
    const first = await states()
    expect(Array.from(first.keys()).toSorted()).toEqual([treeId, other])
    seen.add(first.get(treeId))
    // As a row, as a segment, and as both again.
    for (const [count, from] of [
      [1, 4],
      [200, 10],
      [1, 300],
      [100, 400],
    ] as const) {
      await localdb.appendTreeOps(spaceId, treeId, edits(count, from))
      const next = await states()
      expect(seen.has(next.get(treeId))).toBe(false)
      seen.add(next.get(treeId))
      expect(next.get(other)).toBe(first.get(other))
      expect(await states()).toEqual(next)
    }
  })
})
