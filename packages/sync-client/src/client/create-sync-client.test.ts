import { spaceIdSchema, treeIdSchema } from '@t69/protocol'
import { describe, expect, it, vi } from 'vitest'

import type { Space } from '../api.ts'
import type { Transport } from '../link/transport.ts'
import { createManualTime, turns } from '../runtime/testing/manual-time.ts'
import { unsynced } from '../storage/client-storage.ts'
import type { ClientStorage } from '../storage/client-storage.ts'
import { memoryStorage } from '../storage/memory-storage.ts'
import { browserTabs, createTabGroup, type Tabs } from '../tabs/index.ts'
import { createSyncClient } from './create-sync-client.ts'

const noFetch: typeof fetch = () => Promise.reject(new Error('no network here'))
const noTransport: Transport = {
  connect() {
    throw new Error('There must be no connection while nobody is signed in')
  },
}
const url = 'http://127.0.0.1:1'
const offline = { url, fetch: noFetch, transport: noTransport }

describe('A signed-out client', () => {
  it('creates, lists, edits and reopens a local space without a server', async () => {
    const storage = memoryStorage()
    let spaceId: string
    let digest: string
    {
      await using client = createSyncClient({ ...offline, storage })
      const space = await client.createSpace({ name: 'Notes' })
      const folder = space.root.root!.newNamedChild('folder')
      folder.setProperty('count', 1)
      spaceId = space.id
      digest = space.root.digest()
      expect(space.status).toMatchObject({ phase: 'local', error: null })
      await space.stored()
      expect(space.status.pending).toBe(0)
    }
    await using client = createSyncClient({ ...offline, storage })
    expect(await client.listSpaces()).toMatchObject([
      { id: spaceId, name: 'Notes', synced: false, role: null },
    ])
    const space = await client.openSpace(spaceId)
    expect(space.root.digest()).toBe(digest)
    expect(space.root.getVertexByPath('folder')?.getProperty('count')).toBe(1)
  })

  it('can use a space whose creation was cut short by a crash', async () => {
    const storage = memoryStorage()
    const append = storage.appendLocal.bind(storage)
    storage.appendLocal = () => new Promise(() => {})
    const crashed = createSyncClient({ ...offline, storage })
    void crashed.createSpace({ name: 'Notes' })
    await turns()
    storage.appendLocal = append

    await using client = createSyncClient({ ...offline, storage })
    const [listed] = await client.listSpaces()
    const space = await client.openSpace(listed!.id)
    space.root.root!.newNamedChild('folder')
    await space.close()
    const again = await client.openSpace(listed!.id)
    expect((await again.loaded()).id).toBe(space.id)
    expect(again.root.getVertexByPath('folder')).toBeDefined()
  })

  it('keeps the trees of a space across a restart', async () => {
    const storage = memoryStorage()
    let ids: { space: string; tree: string }
    {
      await using client = createSyncClient({ ...offline, storage })
      const space = await client.createSpace({ name: 'Notes' })
      const chat = await space.createTree()
      chat.root!.newNamedChild('messages')
      ids = { space: space.id, tree: space.treeIdOf(chat) }
    }
    await using client = createSyncClient({ ...offline, storage })
    const space = await client.openSpace(ids.space)
    const chat = await space.openTree(ids.tree)
    expect(chat.getVertexByPath('messages')).toBeDefined()
    expect(await space.openTree(ids.tree)).toBe(chat)
  })

  it('returns the same object when a space or a tree is opened again', async () => {
    await using client = createSyncClient({ ...offline, storage: memoryStorage() })
    const space = await client.createSpace({ name: 'Notes' })
    const [one, other] = await Promise.all([client.openSpace(space.id), client.openSpace(space.id)])
    expect(one).toBe(space)
    expect(other).toBe(space)
    expect(await space.openTree(space.id)).toBe(space.root)
  })

  it('reopens a space that is still being closed, with its last edits', async () => {
    const storage = memoryStorage()
    const append = storage.appendLocal.bind(storage)
    let disk = Promise.resolve()
    storage.appendLocal = async (...edits) => {
      await disk
      await append(...edits)
    }
    await using client = createSyncClient({ ...offline, storage })
    const before = await client.createSpace({ name: 'Notes' })
    const { promise, resolve: finishWrites } = Promise.withResolvers<void>()
    disk = promise
    before.root.root!.setProperty('last', 'words')
    const closing = before.close()
    const opening = Promise.all([client.openSpace(before.id), client.openSpace(before.id)])
    finishWrites()
    await closing
    const [space, same] = await opening
    expect(same).toBe(space)
    expect(space.root.root!.getProperty('last')).toBe('words')
    space.root.root!.setProperty('more', 'words')
    await space.stored()
  })

  it('ends `stored`, `closeTree` and `discardRejected` while something goes on editing', async () => {
    const storage = memoryStorage()
    await using client = createSyncClient({ ...offline, storage })
    const space = await client.createSpace({ name: 'Notes' })
    const root = space.root.root!
    const append = storage.appendLocal.bind(storage)
    let count = 0
    const edit = (): void => root.setProperty('count', ++count)
    let isBusy = true
    storage.appendLocal = async (...edits) => {
      await new Promise((resolve) => setTimeout(resolve, 1))
      await append(...edits)
      if (isBusy) edit()
    }
    edit()
    await space.stored()
    const chat = await space.createTree()
    await space.closeTree(space.treeIdOf(chat))
    expect(() => chat.root!.newNamedChild('late')).toThrow('disposed')
    await space.discardRejected()
    isBusy = false
    await space.stored()
    expect(space.status.pending).toBe(0)
  })

  it('shows the edits that a tree took while it was closed, although they are not on disk yet', async () => {
    const storage = memoryStorage()
    await using client = createSyncClient({ ...offline, storage })
    const space = await client.createSpace({ name: 'Notes' })
    const chat = await space.createTree()
    const treeId = space.treeIdOf(chat)
    const append = storage.appendLocal.bind(storage)
    const writes: (() => void)[] = []
    storage.appendLocal = async (...edits) => {
      await new Promise<void>((resolve) => writes.push(resolve))
      await append(...edits)
    }
    await turns()
    chat.root!.newNamedChild('before')
    const closing = space.closeTree(treeId)
    await turns()
    chat.root!.newNamedChild('meanwhile')
    writes[0]!()
    await turns()
    expect(() => chat.root!.newNamedChild('late')).toThrow('disposed')
    const again = await space.openTree(treeId)
    expect(again.getVertexByPath('before')).toBeDefined()
    expect(again.getVertexByPath('meanwhile')).toBeDefined()
    expect(writes).toHaveLength(2)
    writes[1]!()
    await closing
    expect((await storage.readTree(spaceIdSchema.parse(space.id), treeId)).length).toBe(
      again.getAllOps().length,
    )
  })

  it('stores the edits that are made while a space or the client is closed', async () => {
    for (const last of ['space', 'client'] as const) {
      // The trees take edits for some microtasks, and throw from then on.
      for (let microtasks = 0; microtasks < 12; microtasks++) {
        const storage = memoryStorage()
        const client = createSyncClient({ ...offline, storage })
        const space = await client.createSpace({ name: 'Notes' })
        const closing = last === 'space' ? space.close() : client.close()
        let made = space.root.getAllOps().length
        try {
          for (let count = 0; count < microtasks; count++) await Promise.resolve()
          space.root.root!.newNamedChild('meanwhile')
          made = space.root.getAllOps().length
        } catch (error) {
          if (!String(error).includes('disposed')) throw error
        }
        await closing
        await client.close()
        const stored = await storage.readTree(spaceIdSchema.parse(space.id), treeIdSchema.parse(space.id))
        expect(stored).toHaveLength(made)
      }
    }
  })

  it('ends `close` of a space that something goes on editing, and stores all that it took', async () => {
    const storage = memoryStorage()
    await using client = createSyncClient({ ...offline, storage })
    const space = await client.createSpace({ name: 'Notes' })
    const root = space.root.root!
    const append = storage.appendLocal.bind(storage)
    let taken = 0
    const refused: unknown[] = []
    storage.appendLocal = async (...edits) => {
      await new Promise((resolve) => setTimeout(resolve, 1))
      await append(...edits)
      try {
        root.newNamedChild(`child ${taken}`)
        taken++
      } catch (error) {
        if (!String(error).includes('disposed')) refused.push(error)
      }
    }
    root.newNamedChild('first')
    await space.close()
    storage.appendLocal = append
    const again = await client.openSpace(space.id)
    expect(again.root.root!.children).toHaveLength(1 + taken)
    expect(refused).toEqual([])
  })

  it('rejects `close` with the error of a disk that refuses the last edits, and is closed all the same', async () => {
    const storage = memoryStorage()
    const client = createSyncClient({ ...offline, storage })
    const space = await client.createSpace({ name: 'Notes' })
    storage.appendLocal = () => Promise.reject(new Error('no room'))
    space.root.root!.setProperty('n', 1)
    await expect(client.close()).rejects.toThrow('no room')
    await expect(client.close()).rejects.toThrow('no room')
    await expect(client.listSpaces()).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('logs what a listener throws where there is no `reportError`', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    vi.stubGlobal('reportError', undefined)
    try {
      await using client = createSyncClient({ ...offline, storage: memoryStorage() })
      const broken = new Error('broken listener')
      client.onSpaces(() => {
        throw broken
      })
      await client.createSpace({ name: 'Notes' })
      expect(logged).toHaveBeenCalledWith(broken)
    } finally {
      vi.unstubAllGlobals()
      logged.mockRestore()
    }
  })

  it('rejects calls that need a session, a server or a valid id with the code that says so', async () => {
    await using client = createSyncClient({ ...offline, storage: memoryStorage() })
    const space = await client.createSpace({ name: 'Notes' })
    await expect(space.enableSync()).rejects.toMatchObject({ code: 'unauthenticated' })
    await expect(client.openSpace('00'.repeat(16))).rejects.toMatchObject({ code: 'not_found' })
    await expect(client.openSpace('../etc')).rejects.toMatchObject({ code: 'invalid_request' })
    await expect(client.signIn({ email: 'a@b.c', password: 'x' })).rejects.toMatchObject({
      code: 'unavailable',
    })
    for (const token of ['', '..', 'a/b', '\ud800']) {
      await expect(client.acceptInvite(token)).rejects.toMatchObject({
        code: 'invalid_request',
        body: { at: 'token' },
      })
    }
  })

  it('shows the same status object until something in it changes', async () => {
    const storage = memoryStorage()
    const append = storage.appendLocal.bind(storage)
    const time = createManualTime()
    await using client = createSyncClient({ ...offline, storage, runtime: time })
    const space = await client.createSpace({ name: 'Notes' })
    const rest = space.status
    expect(space.status).toBe(rest)
    storage.appendLocal = () => Promise.reject(new Error('no room'))
    const told: unknown[] = []
    space.onStatus((status) => told.push(status === space.status))
    space.root.root!.setProperty('n', 1)
    await turns()
    const { status } = space
    expect(status).toMatchObject({ unstored: 'no room', error: { code: 'storage_failed' } })
    // Tried again, and refused again.
    await time.pass(10_000)
    expect(space.status).toBe(status)
    storage.appendLocal = append
    await time.pass(10_000)
    expect(space.status).toEqual(rest)
    expect(told).not.toContain(false)
  })

  it('closes its storage also if it could not start', async () => {
    const broken = { ...offline, url: 'no address' }
    for (const options of [offline, broken]) {
      const storage = memoryStorage()
      const closed = vi.spyOn(storage, 'close')
      storage.getConfig = () => Promise.reject(new Error('the disk is gone'))
      const client = createSyncClient({ ...options, storage })
      await expect(client.ready).rejects.toThrow(/the disk is gone|not the address/)
      await client.close()
      expect(closed).toHaveBeenCalledOnce()
    }
  })

  it.each(['', '\ud800', 7 as never])('refuses %j as the name of its database', async (name) => {
    await using client = createSyncClient({ ...offline, name })
    const refusal = {
      code: 'invalid_request',
      message: expect.stringMatching(/^name: /),
      body: { at: 'name' },
    }
    await expect(client.ready).rejects.toMatchObject(refusal)
    await expect(client.listSpaces()).rejects.toMatchObject(refusal)
  })

  it.each(['', '  ', 'x'.repeat(201), undefined as never, { name: 'x' } as never])(
    'refuses %j as the name of a space at the call, and stores nothing',
    async (name) => {
      const storage = memoryStorage()
      await using client = createSyncClient({ ...offline, storage })
      const refusal = {
        code: 'invalid_request',
        message: expect.stringMatching(/^name: /),
        body: { at: 'name' },
      }
      await expect(client.createSpace({ name })).rejects.toMatchObject(refusal)
      expect(await storage.listSpaces()).toEqual([])
      const space = await client.createSpace({ name: ' Notes ' })
      await expect(space.rename(name)).rejects.toMatchObject(refusal)
      expect(space.name).toBe('Notes')
      await space.rename(` ${'x'.repeat(200)} `)
      expect(space.name).toBe('x'.repeat(200))
    },
  )

  it.each([
    ['is too large', 'x'.repeat(65_536)],
    ['is not JSON', [Number.NaN]],
    ['is not given', undefined],
  ])('refuses a presence state that %s at the call', async (_, state) => {
    await using client = createSyncClient({ ...offline, storage: memoryStorage() })
    const space = await client.createSpace({ name: 'Notes' })
    const refusal = expect.objectContaining({
      code: 'invalid_request',
      message: expect.stringMatching(/^state: /),
    })
    expect(() => space.setPresence(state as never)).toThrow(refusal)
    space.setPresence('x'.repeat(65_534))
  })

  it('refuses text that is no id before there is a request', async () => {
    await using client = createSyncClient({ ...offline, storage: memoryStorage() })
    const space = await client.createSpace({ name: 'Notes' })
    const id = '..' as never
    for (const call of [
      () => space.removeMember(id),
      () => space.changeRole(id, 'viewer'),
      () => space.withdrawInvite(id),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'invalid_request' })
    }
  })

  it('counts an edit once while it is being stored', async () => {
    const storage = memoryStorage()
    await using client = createSyncClient({ ...offline, storage })
    const space = await client.createSpace({ name: 'Notes' })
    await storage.putSyncState(space.id, unsynced)
    const counts = new Set<number>()
    space.onStatus(({ pending }) => counts.add(pending))
    space.root.root!.setProperty('n', 1)
    await space.stored()
    expect([...counts]).toEqual([1])
  })

  it('counts pending edits again after the storage could not be read', async () => {
    const storage = memoryStorage()
    const time = createManualTime()
    await using client = createSyncClient({ ...offline, storage, runtime: time })
    const space = await client.createSpace({ name: 'Notes' })
    const count = storage.countPending.bind(storage)
    storage.countPending = async () => ({ pending: 3, rejected: 0 })
    space.root.root!.setProperty('n', 1)
    await space.stored()
    expect(space.status.pending).toBe(3)
    storage.countPending = () => Promise.reject(new Error('not just now'))
    space.root.root!.setProperty('n', 2)
    await space.stored()
    storage.countPending = count
    await time.pass(10_000)
    expect(space.status.pending).toBe(0)
  })

  it('ends the wait for a full disk when the space is closed, or when the caller gives up', async () => {
    const storage = memoryStorage()
    await using client = createSyncClient({ ...offline, storage })
    const space = await client.createSpace({ name: 'Notes' })
    storage.appendLocal = () => Promise.reject(new Error('no room'))
    space.root.root!.setProperty('n', 1)
    const leaving = new AbortController()
    const given = space.stored({ signal: leaving.signal }).catch((error: unknown) => error)
    leaving.abort(new Error('given up'))
    expect(await given).toEqual(new Error('given up'))
    const chat = await space.createTree()
    const treeId = space.treeIdOf(chat)
    const closing = [space.closeTree(treeId), space.discardRejected()].map((call) => call.catch(String))
    await expect(space.stored({ signal: leaving.signal })).rejects.toThrow('given up')
    const waiting = space.stored().catch((error: unknown) => error)
    await expect(space.close()).rejects.toThrow('no room')
    expect(await waiting).toMatchObject({ code: 'unavailable' })
    expect(await Promise.all(closing)).toEqual(Array(2).fill('SyncError: The space was closed'))
    await expect(space.stored()).rejects.toMatchObject({ code: 'unavailable' })
    await expect(space.loaded()).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('can be closed while a full disk holds up a new space, whose creation ends', async () => {
    const storage = memoryStorage()
    const append = storage.appendLocal.bind(storage)
    storage.appendLocal = () => Promise.reject(new Error('no room'))
    // Time stands still, so nothing is tried again before the end.
    await using client = createSyncClient({ ...offline, storage, runtime: createManualTime() })
    const creating = client.createSpace({ name: 'Notes' }).catch(String)
    await turns()
    storage.appendLocal = append
    await client.close()
    expect(await creating).toBe('SyncError: The space was closed')
  })

  it('leaves no space open that is being created or opened while it is closed', async () => {
    function outcomeOf(end: PromiseSettledResult<Space>): unknown {
      if (end.status === 'rejected') return end.reason.code
      try {
        end.value.root.root!.setProperty('late', 1)
        return 'open'
      } catch (error) {
        return String(error)
      }
    }
    const storage = memoryStorage()
    const first = createSyncClient({ ...offline, storage })
    const { id } = await first.createSpace({ name: 'Notes' })
    await first.close()
    for (let microtasks = 0; microtasks < 40; microtasks++) {
      const client = createSyncClient({ ...offline, storage })
      await client.ready
      const calls = [client.createSpace({ name: 'More' }), client.openSpace(id)]
      const ends = Promise.allSettled(calls)
      for (let count = 0; count < microtasks; count++) await Promise.resolve()
      await client.close()
      for (const end of await ends)
        expect(['unavailable', 'Error: This replica is disposed']).toContain(outcomeOf(end))
    }
  })

  it('resolves `stored` when the space is closed and its last edits are on disk', async () => {
    await using client = createSyncClient({ ...offline, storage: memoryStorage() })
    const space = await client.createSpace({ name: 'Notes' })
    space.root.root!.setProperty('n', 1)
    const waiting = space.stored()
    await space.close()
    expect(await Promise.all([waiting, space.stored()])).toEqual([undefined, undefined])
  })

  it('has loaded the root of every space and tree that was made here', async () => {
    await using client = createSyncClient({ ...offline, storage: memoryStorage() })
    const space = await client.createSpace({ name: 'Notes' })
    expect((await space.loaded()).id).toBe(space.root.root!.id)
    const chat = await space.createTree()
    const treeId = space.treeIdOf(chat)
    expect((await space.loaded({ treeId })).id).toBe(treeId)
    await space.closeTree(treeId)
    await expect(space.loaded({ treeId })).rejects.toMatchObject({ code: 'not_found' })
    await expect(space.loaded({ treeId: '../etc' })).rejects.toMatchObject({ code: 'invalid_request' })
  })

  it('copies a space with all of its trees into one of its own, and leaves the original alone', async () => {
    const storage = memoryStorage()
    await using client = createSyncClient({ ...offline, storage })
    const space = await client.createSpace({ name: 'Notes' })
    const chat = await space.createTree()
    const treeId = space.treeIdOf(chat)
    for (let n = 0; n < 100; n++) chat.root!.newNamedChild(`message ${n}`)
    space.root.root!.newNamedChild('folder').newNamedChild('inside')
    const before = [space.root.digest(), chat.digest()]
    const copy = await client.copySpace(space.id, { name: 'My notes' })
    expect(copy).toMatchObject({ name: 'My notes', status: { phase: 'local', pending: 0 } })
    expect(copy.id).not.toBe(space.id)
    expect(copy.root.root!.id).toBe(copy.id)
    expect(copy.root.getVertexByPath('folder/inside')).toBeDefined()
    expect((await copy.openTree(treeId)).digest()).toBe(chat.digest())
    copy.root.root!.newNamedChild('only in the copy')
    await copy.stored()
    expect([space.root.digest(), chat.digest()]).toEqual(before)
    expect((await client.listSpaces()).map(({ name }) => name)).toEqual(['Notes', 'My notes'])
    await expect(client.copySpace('00'.repeat(16), { name: 'x' })).rejects.toMatchObject({
      code: 'not_found',
    })
    await expect(client.copySpace(space.id, { name: ' ' })).rejects.toMatchObject({ code: 'invalid_request' })
  })

  it('lists no copy that was interrupted, and keeps the original', async () => {
    const storage = memoryStorage()
    await using client = createSyncClient({ ...offline, storage })
    const space = await client.createSpace({ name: 'Notes' })
    await space.createTree()
    await space.stored()
    const append = storage.appendLocal.bind(storage)
    let appends = 0
    storage.appendLocal = async (...edits) => {
      if (++appends > 1) throw new Error('the disk is full')
      await append(...edits)
    }
    await expect(client.copySpace(space.id, { name: 'Copy' })).rejects.toThrow('the disk is full')
    expect((await client.listSpaces()).map(({ name }) => name)).toEqual(['Notes'])
    expect(space.root.root).toBeDefined()
  })

  it('imports trees into a new space, which opens like any other', async () => {
    await using client = createSyncClient({ ...offline, storage: memoryStorage() })
    const [chat, message, folder] = ['c', 'd', 'e'].map((digit) => digit.repeat(32)) as [
      string,
      string,
      string,
    ]
    const id = await client.importSpace({
      name: 'Notes',
      trees: [
        {
          id: undefined,
          vertices: [
            { id: 'root', parentId: null, properties: { version: '0' } },
            { id: folder, parentId: 'root', properties: { name: 'folder', tid: chat } },
          ],
        },
        {
          id: chat,
          vertices: [
            { id: 'root', parentId: null, properties: {} },
            { id: message, parentId: 'root', properties: { text: 'Hello', at: { deep: [1, null] } } },
          ],
        },
      ],
    })
    const space = await client.openSpace(id)
    expect(space).toMatchObject({ name: 'Notes', status: { phase: 'local' } })
    expect(space.root.root?.getProperty('version')).toBe('0')
    expect(space.root.getVertexByPath('folder')?.getProperty('tid')).toBe(chat)
    const tree = await space.openTree(chat)
    expect(tree.root?.children.map((child) => child.getProperties())).toEqual([
      { text: 'Hello', at: { deep: [1, null] } },
    ])
    tree.root?.newNamedChild('more')
    await space.stored()
  })

  it.each([
    [
      'a vertex before its parent',
      [
        { id: 'root', parentId: null },
        { id: 'a'.repeat(32), parentId: 'b' },
      ],
    ],
    ['a key that no tree can hold', [{ id: 'root', parentId: null, properties: { 'a@b': 1 } }]],
    [
      'an id of another kind',
      [
        { id: 'root', parentId: null },
        { id: '__proto__', parentId: 'root' },
      ],
    ],
    ['no root', []],
  ])('leaves nothing of an import with %s', async (_what, vertices) => {
    const storage = memoryStorage()
    await using client = createSyncClient({ ...offline, storage })
    const good = { id: undefined, vertices: [{ id: 'root', parentId: null, properties: {} }] }
    const bad = { id: 'c'.repeat(32), vertices: vertices.map((it) => ({ properties: {}, ...it })) }
    const written = new Set<string>()
    const append = storage.appendLocal.bind(storage)
    storage.appendLocal = (spaceId, ops) => append(spaceId, ops).then(() => void written.add(spaceId))
    await expect(client.importSpace({ name: 'Notes', trees: [good, bad] })).rejects.toMatchObject({
      code: 'invalid_request',
    })
    expect(await client.listSpaces()).toEqual([])
    for (const id of written) expect(await storage.listTrees(spaceIdSchema.parse(id))).toEqual([])
    expect(written.size).toBe(1)
  })

  it.each([
    ['of the space itself', undefined],
    ['with an id of its own', 'c'.repeat(32)],
  ])('refuses an import that has a second tree %s, whose contents would be mixed', async (_which, id) => {
    await using client = createSyncClient({ ...offline, storage: memoryStorage() })
    const tree = { id, vertices: [{ id: 'root', parentId: null, properties: {} }] }
    const space = { ...tree, id: undefined }
    const trees = id === undefined ? [space, space] : [space, tree, tree]
    await expect(client.importSpace({ name: 'Notes', trees })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('a second tree with this id'),
    })
    expect(await client.listSpaces()).toEqual([])
  })

  it('leaves nothing of an import that is aborted', async () => {
    const storage = memoryStorage()
    await using client = createSyncClient({ ...offline, storage })
    const aborting = new AbortController()
    function* trees() {
      yield { id: undefined, vertices: [{ id: 'root', parentId: null, properties: {} }] }
      aborting.abort(new Error('enough'))
      yield { id: 'c'.repeat(32), vertices: [{ id: 'root', parentId: null, properties: {} }] }
    }
    await expect(
      client.importSpace({ name: 'Notes', trees: trees() }, { signal: aborting.signal }),
    ).rejects.toThrow('enough')
    expect(await client.listSpaces()).toEqual([])
  })

  it('ends an import that is aborted while the next tree does not come', async () => {
    await using client = createSyncClient({ ...offline, storage: memoryStorage() })
    const aborting = new AbortController()
    async function* trees() {
      yield { id: undefined, vertices: [{ id: 'root', parentId: null, properties: {} }] }
      aborting.abort(new Error('enough'))
      await new Promise(() => {})
    }
    await expect(
      client.importSpace({ name: 'Notes', trees: trees() }, { signal: aborting.signal }),
    ).rejects.toThrow('enough')
    expect(await client.listSpaces()).toEqual([])
  })

  it('neither lists nor edits a deleted space', async () => {
    await using client = createSyncClient({ ...offline, storage: memoryStorage() })
    const space = await client.createSpace({ name: 'Notes' })
    await client.deleteSpace(space.id)
    expect(await client.listSpaces()).toEqual([])
    expect(() => space.root.root!.newChild()).toThrow(/disposed/)
  })
})

describe('Two tabs of one browser', () => {
  it('both release a space that is deleted in one of them', async () => {
    const storage = memoryStorage()
    const group = createTabGroup()
    await using one = createSyncClient({ ...offline, storage, tabs: group.tab() })
    await using other = createSyncClient({ ...offline, storage, tabs: group.tab() })
    const here = await one.createSpace({ name: 'Notes' })
    const there = await other.openSpace(here.id)
    const deletion = new Promise<boolean>((resolve) => other.onSpaces(() => resolve(there.isDeleted)))
    expect([here.isDeleted, there.isDeleted]).toEqual([false, false])
    await one.deleteSpace(here.id)
    expect(await deletion).toBe(true)
    expect(here.isDeleted).toBe(true)
    expect(() => there.root.root!.newChild()).toThrow(/disposed/)
  })

  it('show each other their edits once they are stored', async () => {
    const storage = memoryStorage()
    const group = createTabGroup()
    await using one = createSyncClient({ ...offline, storage, tabs: group.tab() })
    await using other = createSyncClient({ ...offline, storage, tabs: group.tab() })
    const here = await one.createSpace({ name: 'Notes' })
    await here.stored()
    const there = await other.openSpace(here.id)
    const seen = new Promise<void>((resolve) => {
      const stop = there.root.observeVertexMove(() => {
        stop()
        resolve()
      })
    })
    here.root.root!.newNamedChild('folder')
    await seen
    expect(there.root.getVertexByPath('folder')).toBeDefined()
    there.root.getVertexByPath('folder')!.setProperty('from', 'other')
    await there.stored()
    expect(here.root.getVertexByPath('folder')?.getProperty('from')).toBe('other')
    expect(here.root.digest()).toBe(there.root.digest())
  })

  it('show every edit that one makes while the other opens', async () => {
    // The first posts nothing while it is alone; the second reads the storage at some moment of this.
    for (let round = 0; round < 20; round++) {
      const storage = memoryStorage()
      const tabs = (): Tabs => browserTabs(`opened-meanwhile-${round}`)
      await using one = createSyncClient({ ...offline, storage, tabs: tabs() })
      const here = await one.createSpace({ name: 'Notes' })
      const other = createSyncClient({ ...offline, storage, tabs: tabs() })
      const opening = other.openSpace(here.id)
      for (let edit = 0; edit < 40; edit++) {
        here.root.root!.setProperty(`edit-${edit}`, edit)
        await (edit % 5 < round % 5 ? new Promise((resolve) => setTimeout(resolve)) : turns())
      }
      const there = await opening
      await here.stored()
      await expect.poll(() => there.root.digest()).toBe(here.root.digest())
      await other.close()
    }
  })

  it('show edits that the leading tab stored and could not tell before it closed', async () => {
    const storage = memoryStorage()
    const group = createTabGroup()
    const dying = group.tab()
    const one = createSyncClient({ ...offline, storage, tabs: { ...dying, post: () => {} } })
    await using other = createSyncClient({ ...offline, storage, tabs: group.tab() })
    const here = await one.createSpace({ name: 'Notes' })
    await here.stored()
    const there = await other.openSpace(here.id)
    here.root.root!.newNamedChild('folder')
    await here.stored()
    await turns()
    expect(there.root.getVertexByPath('folder')).toBeUndefined()
    dying.close()
    await turns()
    expect(there.root.digest()).toBe(here.root.digest())
  })

  it('stop showing the transient values of a tab that closed, and keep those of other tabs', async () => {
    const storage = memoryStorage()
    const group = createTabGroup()
    const time = createManualTime()
    const tabs = [group.tab(), group.tab(), group.tab()]
    const [leader, dying, other] = await Promise.all(
      tabs.map(async (tab) => {
        const client = createSyncClient({ ...offline, storage, tabs: tab, runtime: time })
        await client.ready
        return { tab, client }
      }),
    )
    const space = await leader!.client.createSpace({ name: 'Notes' })
    await space.stored()
    const [inDying, inOther] = [
      await dying!.client.openSpace(space.id),
      await other!.client.openSpace(space.id),
    ]
    inDying.root.root!.setTransientProperty('reply', 'half a wo')
    inOther.root.root!.setTransientProperty('cursor', 7)
    await time.pass(50)
    expect(space.root.root!.getProperty('reply')).toBe('half a wo')
    dying!.tab.close()
    await turns()
    for (const { root } of [space, inOther]) {
      expect(root.root!.getProperty('reply')).toBeUndefined()
      expect(root.root!.getProperty('cursor')).toBe(7)
    }
    leader!.tab.close()
    await time.pass(50)
    expect(inOther.root.root!.getProperty('cursor')).toBe(7)
    for (const { client } of [leader!, dying!, other!]) await client.close()
  })

  it('miss no edit that is stored while one of them opens the space', async () => {
    const storage = memoryStorage()
    const group = createTabGroup()
    await using one = createSyncClient({ ...offline, storage, tabs: group.tab() })
    const here = await one.createSpace({ name: 'Notes' })
    await here.stored()
    for (let count = 0; count < 30; count++) {
      await using other = createSyncClient({ ...offline, storage, tabs: group.tab() })
      await other.ready
      const opening = other.openSpace(here.id)
      for (let turn = 0; turn < count; turn++) await Promise.resolve()
      here.root.root!.newNamedChild(`folder ${count}`)
      await here.stored()
      const there = await opening
      await turns()
      expect(there.root.digest()).toBe(here.root.digest())
    }
  })
})

describe('Discarded edits', () => {
  /** Sets everything in the outbox aside, as if the server had refused it. */
  async function refuseAll(storage: ClientStorage, { id }: Space): Promise<void> {
    const slice = await storage.readOutbox(id, 1_000_000)
    const refused = slice!.ops.map((op) => ({ op, code: 'too_large' as const, message: 'No' }))
    await storage.settleOutbox(id, slice!.entries, refused, unsynced)
  }

  const replaced = (space: Space) =>
    new Promise<string>((resolve) => {
      const stop = space.onReplaced((treeId) => {
        stop()
        resolve(treeId)
      })
    })

  it('are gone from open trees, here and in other tabs, and other edits stay', async () => {
    const storage = memoryStorage()
    const group = createTabGroup()
    await using one = createSyncClient({ ...offline, storage, tabs: group.tab() })
    await using other = createSyncClient({ ...offline, storage, tabs: group.tab() })
    const here = await one.createSpace({ name: 'Notes' })
    const chat = await here.createTree()
    const treeId = here.treeIdOf(chat)
    chat.root!.setProperty('title', 'Kept')
    await here.stored()
    await storage.putSyncState(here.id, unsynced)
    chat.root!.setProperty('title', 'Refused')
    await here.stored()
    await refuseAll(storage, here)
    chat.root!.setProperty('after', 1)
    const there = await other.openSpace(here.id)
    const chatThere = await there.openTree(treeId)
    expect(chatThere.root!.getProperty('title')).toBe('Refused')

    const replacements = Promise.all([replaced(here), replaced(there)])
    const discarding = here.discardRejected()
    chat.root!.setProperty('meanwhile', 2)
    await discarding
    expect(await replacements).toEqual([treeId, treeId])
    for (const space of [here, there]) {
      const tree = await space.openTree(treeId)
      expect(tree).not.toBe(chat)
      expect(tree.root!.getProperties()).toMatchObject({ title: 'Kept', after: 1, meanwhile: 2 })
      expect(space.status.rejected).toBe(0)
    }
    expect(() => chat.root!.setProperty('late', 1)).toThrow(/disposed/)
    expect(() => chatThere.root!.setProperty('late', 1)).toThrow(/disposed/)
    const again = await there.openTree(treeId)
    again.root!.setProperty('from', 'there')
    await there.stored()
    expect((await here.openTree(treeId)).root!.getProperty('from')).toBe('there')
  })

  it('are gone from open trees also if they are refused while others are being discarded', async () => {
    const storage = memoryStorage()
    await using client = createSyncClient({ ...offline, storage })
    const space = await client.createSpace({ name: 'Notes' })
    await space.stored()
    await storage.putSyncState(space.id, unsynced)
    space.root.root!.newNamedChild('refused')
    await space.stored()
    const discard = storage.discardRejected.bind(storage)
    storage.discardRejected = async (spaceId) => {
      await refuseAll(storage, space)
      return discard(spaceId)
    }
    await space.discardRejected()
    expect(space.root.getVertexByPath('refused')).toBeUndefined()
  })

  it('are gone from a tree that another tab was reading when they were discarded', async () => {
    const storage = memoryStorage()
    const group = createTabGroup()
    await using one = createSyncClient({ ...offline, storage, tabs: group.tab() })
    await using other = createSyncClient({ ...offline, storage, tabs: group.tab() })
    const here = await one.createSpace({ name: 'Notes' })
    const chat = await here.createTree()
    const treeId = here.treeIdOf(chat)
    await here.stored()
    await storage.putSyncState(here.id, unsynced)
    chat.root!.setProperty('title', 'Refused')
    await here.stored()
    await refuseAll(storage, here)
    const there = await other.openSpace(here.id)
    const read = storage.readTree.bind(storage)
    const { promise: slowly, resolve: finishRead } = Promise.withResolvers<void>()
    storage.readTree = async (...tree) => {
      storage.readTree = read
      const ops = await read(...tree)
      await slowly
      return ops
    }
    const opening = there.openTree(treeId)
    await turns()
    await here.discardRejected()
    await turns()
    finishRead()
    await opening
    await turns()
    expect((await there.openTree(treeId)).root!.getProperty('title')).toBeUndefined()
  })

  it('are gone from other tabs also while a full disk holds up the tab that discarded them', async () => {
    const storage = memoryStorage()
    const group = createTabGroup()
    await using one = createSyncClient({ ...offline, storage, tabs: group.tab() })
    await using other = createSyncClient({ ...offline, storage, tabs: group.tab() })
    const here = await one.createSpace({ name: 'Notes' })
    await here.stored()
    const there = await other.openSpace(here.id)
    await storage.putSyncState(here.id, unsynced)
    here.root.root!.newNamedChild('refused')
    await here.stored()
    await refuseAll(storage, here)
    const [append, discard] = [storage.appendLocal.bind(storage), storage.discardRejected.bind(storage)]
    storage.discardRejected = async (spaceId) => {
      const gone = await discard(spaceId)
      storage.appendLocal = () => Promise.reject(new Error('no room'))
      here.root.root!.setProperty('late', 1)
      return gone
    }
    const replacement = replaced(there)
    const discarding = here.discardRejected()
    expect(await replacement).toBe(here.id)
    expect(there.root.getVertexByPath('refused')).toBeUndefined()
    storage.appendLocal = append
    await discarding
    expect(here.root.getVertexByPath('refused')).toBeUndefined()
  })

  it('are gone from the space tree, and `root` is another replica from then on', async () => {
    const storage = memoryStorage()
    await using client = createSyncClient({ ...offline, storage })
    const space = await client.createSpace({ name: 'Notes' })
    await space.stored()
    await storage.putSyncState(space.id, unsynced)
    const before = space.root
    before.root!.newNamedChild('refused')
    await space.stored()
    await refuseAll(storage, space)
    const replacements = replaced(space)
    await space.discardRejected()
    expect(await replacements).toBe(space.id)
    expect(space.root).not.toBe(before)
    expect(space.root.getVertexByPath('refused')).toBeUndefined()
    expect(await space.openTree(space.id)).toBe(space.root)
  })
})
