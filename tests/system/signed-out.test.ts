import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { treeIdSchema } from '@t69/protocol'
import { createServer, parseConfig, type Server } from '@t69/server'
import {
  createSyncClient,
  createTabGroup,
  memoryStorage,
  type ClientStorage,
  type Space,
  type SyncClient,
  type SyncClientOptions,
} from '@t69/sync-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

/** Who is who on one device: several accounts, and several servers, over one storage. */

const password = 'correct horse battery'
const anna = { name: 'Anna', email: 'anna@example.org', password }
const ben = { name: 'Ben', email: 'ben@example.org', password }

let dataDir: string
let server: Server
const servers: Server[] = []
const clients: SyncClient[] = []

async function startServer(name: string): Promise<Server> {
  const config = parseConfig({
    PORT: '0',
    DATA_DIR: join(dataDir, name),
    LOG_LEVEL: 'silent',
    REGISTRATION: 'open',
  })
  const started = await createServer(config, { passwordCost: { memoryCost: 8, timeCost: 1, parallelism: 1 } })
  await started.listen()
  servers.push(started)
  return started
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 't69-signed-out-'))
  server = await startServer('first')
})

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await Promise.all(servers.splice(0).map((started) => started.close()))
  await rm(dataDir, { recursive: true, force: true })
})

function open(options: Partial<SyncClientOptions> = {}): SyncClient {
  const client = createSyncClient({ url: server.url, storage: memoryStorage(), ...options })
  clients.push(client)
  return client
}

const noNetwork: typeof fetch = () => Promise.reject(new TypeError('no network'))
const namesIn = (space: Space) => (space.root.root?.children ?? []).map(({ name }) => name)
const unauthenticated = { code: 'unauthenticated' }
const forbidden = { code: 'forbidden' }

/** Everything that the storage holds of a space. */
async function left(storage: ClientStorage, { id }: Space) {
  return {
    stored: await storage.getSpace(id),
    ops: await storage.readTree(id, treeIdSchema.parse(id)),
    sync: await storage.getSyncState(id),
    counts: await storage.countPending(id),
  }
}

describe('Signing out', () => {
  it('locks the spaces of the account, which take no edit and answer no call until it signs in again', async () => {
    const client = open()
    await client.signUp(anna)
    const space = await client.createSpace({ name: 'Diary' })
    const chat = await space.createTree()
    const treeId = space.treeIdOf(chat)
    await space.flushed()
    const phases: string[] = []
    space.onStatus(({ phase }) => phases.push(phase))
    await client.signOut()

    expect(phases.at(-1)).toBe('signed-out')
    expect(space.status.phase).toBe('signed-out')
    expect(client.sessionEnded).toBe(false)
    for (const tree of [space.root, chat]) expect(() => tree.root!.newChild()).toThrow(/disposed/)
    const calls = [
      () => space.openTree(treeId),
      () => space.createTree(),
      () => space.loaded(),
      () => space.enableSync(),
      () => space.rename('Mine'),
      () => space.members(),
      () => space.invite('editor'),
      () => space.rejectedEdits(),
      () => space.discardRejected(),
      () => client.openSpace(space.id),
      () => client.deleteSpace(space.id),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject(unauthenticated)
    expect(await client.listSpaces()).toEqual([])
    space.setPresence({ chat: 'mine' })

    await client.signUp(ben)
    expect(await client.listSpaces()).toEqual([])
    await expect(client.openSpace(space.id)).rejects.toMatchObject(forbidden)
    await expect(client.deleteSpace(space.id)).rejects.toMatchObject(forbidden)
    await expect(space.members()).rejects.toMatchObject(unauthenticated)

    await client.signOut()
    await client.signIn(anna)
    expect((await client.listSpaces()).map(({ name }) => name)).toEqual(['Diary'])
    expect(await client.openSpace(space.id)).toBe(space)
    expect((await space.openTree(treeId)).root).toBeDefined()
    space.root.root!.newNamedChild('back')
    await space.flushed()
  })

  it('opens the spaces again in place when the same account signs in, with the trees that were open', async () => {
    const client = open()
    await client.signUp(anna)
    const space = await client.createSpace({ name: 'Diary' })
    const chat = await space.createTree()
    const [chatId, twiceId, closedId] = [
      space.treeIdOf(chat),
      space.treeIdOf(await space.createTree()),
      space.treeIdOf(await space.createTree()),
    ]
    await space.openTree(twiceId)
    chat.root!.newNamedChild('written before')
    await space.flushed()
    const friend = open()
    await friend.signUp(ben)
    await friend.acceptInvite((await space.invite('editor')).token)
    const there = await friend.openSpace(space.id)
    await there.loaded()
    space.setPresence({ chat: 'mine' })
    there.setPresence({ chat: 'theirs' })
    const seen = () => there.presence.map(({ state }) => state)
    await expect.poll(seen).toContainEqual({ chat: 'mine' })
    await expect.poll(() => space.presence.length).toBe(1)

    const before = space.root
    const heard: unknown[] = []
    space.onReplaced((treeId) => heard.push(treeId))
    space.onPresence((present) => heard.push(present.length))
    const back = new Promise<void>((resolve) => {
      space.onStatus(({ phase }) => void (phase === 'live' && resolve()))
    })
    await client.signOut()
    expect([space.presence, heard]).toEqual([[], [0]])
    expect(space.root).toBe(before)
    await space.closeTree(closedId)
    await expect.poll(seen).toEqual([])
    there.root.root!.newNamedChild('by Ben')
    await there.flushed()
    await client.signUp({ ...anna, email: 'carol@example.org' })
    expect([space.status.phase, space.root]).toEqual(['signed-out', before])
    await client.signOut()
    heard.length = 0
    await client.signIn(anna)
    await back

    expect(heard.filter((one) => typeof one === 'string').toSorted()).toEqual(
      [space.id, chatId, twiceId].toSorted(),
    )
    expect(space.root).not.toBe(before)
    expect(namesIn(space)).toContain('by Ben')
    await expect.poll(seen).toContainEqual({ chat: 'mine' })
    const chatAgain = await space.openTree(chatId)
    expect(chatAgain).not.toBe(chat)
    expect(chatAgain.root!.children.map(({ name }) => name)).toEqual(['written before'])
    // Open as often as before: twice is not closed by one close, and each open here is closed by its own.
    const twiceAgain = await space.openTree(twiceId)
    await space.closeTree(twiceId)
    await space.closeTree(twiceId)
    twiceAgain.root!.newNamedChild('still open')
    await space.closeTree(twiceId)
    expect(() => twiceAgain.root!.newChild()).toThrow(/disposed/)
    space.root.root!.newNamedChild('back')
    await space.flushed()
    expect((await space.members()).length).toBe(2)
    await expect.poll(() => namesIn(there)).toEqual(['by Ben', 'back'])
    there.root.root!.newNamedChild('and again')
    await expect.poll(() => namesIn(space)).toContain('and again')
  })

  it('keeps the edits that the disk refuses at that moment, shows them again, and then stores and sends them', async () => {
    const storage = memoryStorage()
    const client = open({ storage })
    await client.signUp(anna)
    const space = await client.createSpace({ name: 'Diary' })
    await space.flushed()
    const append = storage.appendLocal.bind(storage)
    let writes = 0
    storage.appendLocal = async () => {
      writes++
      throw new Error('the disk is full')
    }
    space.root.root!.newNamedChild('in the last moment')
    const stored = space.stored().catch((error: unknown) => error)
    await client.signOut()
    expect(await stored).toMatchObject(unauthenticated)
    const before = writes
    await client.signUp(ben)
    expect(space.status).toMatchObject({ phase: 'signed-out', unstored: 'the disk is full' })
    await client.signOut()
    expect(writes).toBe(before)
    await client.signIn(anna)
    expect(namesIn(space)).toEqual(['in the last moment'])
    space.root.root!.newNamedChild('right after')
    storage.appendLocal = append
    await space.flushed()
    expect(space.status).toMatchObject({ pending: 0, unstored: null })
  })

  it('leaves a space locked while the storage cannot be read, and unlocks it once it can', async () => {
    const storage = memoryStorage()
    const client = open({ storage })
    await client.signUp(anna)
    const space = await client.createSpace({ name: 'Diary' })
    space.root.root!.newNamedChild('kept')
    await space.flushed()
    await client.signOut()
    const read = storage.readTree.bind(storage)
    storage.readTree = () => Promise.reject(new Error('the disk is gone'))
    await client.signIn(anna)
    await expect(client.openSpace(space.id)).rejects.toThrow('the disk is gone')
    expect(space.status.phase).toBe('signed-out')
    await expect(space.openTree(space.id)).rejects.toMatchObject(unauthenticated)
    storage.readTree = read
    expect(await client.openSpace(space.id)).toBe(space)
    expect(namesIn(space)).toEqual(['kept'])
  })

  it('shows nothing if the user signs out again while the spaces are read, and all of it when they are back', async () => {
    const storage = memoryStorage()
    const client = open({ storage })
    await client.signUp(anna)
    const space = await client.createSpace({ name: 'Diary' })
    await space.flushed()
    await client.signOut()
    const read = storage.readTree.bind(storage)
    const asked = Promise.withResolvers<void>()
    const { promise: disk, resolve: goOn } = Promise.withResolvers<void>()
    storage.readTree = async (...args) => {
      asked.resolve()
      await disk
      return read(...args)
    }
    const replaced: string[] = []
    space.onReplaced((treeId) => replaced.push(treeId))
    const signingIn = client.signIn(anna)
    await asked.promise
    await client.signOut()
    const opening = client.openSpace(space.id).catch((error: unknown) => error)
    goOn()
    await signingIn
    expect(await opening).toMatchObject(unauthenticated)
    expect(replaced).toEqual([])
    expect(() => space.root.root!.newChild()).toThrow(/disposed/)
    await client.signIn(anna)
    expect(replaced).toEqual([space.id])
    space.root.root!.newNamedChild('back')
    await space.flushed()
  })

  it('leaves locked spaces that can be closed and deleted, and are not unlocked after that', async () => {
    const [storage, group] = [memoryStorage(), createTabGroup()]
    const [one, other] = [open({ storage, tabs: group.tab() }), open({ storage, tabs: group.tab() })]
    await one.signUp(anna)
    const [closed, deleted] = [await one.createSpace({ name: 'A' }), await one.createSpace({ name: 'B' })]
    await Promise.all([closed.flushed(), deleted.flushed()])
    await expect.poll(() => other.user?.name).toBe('Anna')
    const there = await other.openSpace(deleted.id)
    await one.signOut()
    await closed.close()
    await expect.poll(() => there.status.phase).toBe('signed-out')
    await one.signIn(anna)
    const again = await one.openSpace(closed.id)
    expect(again).not.toBe(closed)
    await expect(closed.openTree(closed.id)).rejects.toThrow('The space was closed')
    await one.deleteSpace(deleted.id)
    await expect.poll(() => there.isDeleted).toBe(true)
    expect(deleted.isDeleted).toBe(true)
    await expect(deleted.openTree(deleted.id)).rejects.toThrow('The space was deleted')
  })

  it('forgets a locked space for good: what another account fetches under its id is another object', async () => {
    const client = open()
    await client.signUp(anna)
    const space = await client.createSpace({ name: 'Band' })
    await space.flushed()
    const { token } = await space.invite('editor')
    await client.signOut()
    await client.signUp(ben)
    await client.acceptInvite(token)
    await client.signOut()
    await client.signIn(anna)
    expect(await client.openSpace(space.id)).toBe(space)
    await client.signOut({ forget: true })
    await client.signIn(ben)
    const bens = await client.openSpace(space.id)
    await bens.loaded()
    expect(bens).not.toBe(space)
    expect(space.isDeleted).toBe(true)
    await expect(space.openTree(space.id)).rejects.toThrow('The space was deleted')
  })

  it('keeps edits that were not sent, those of its very moment included, and sends them for nobody else', async () => {
    const storage = memoryStorage()
    const first = open({ storage })
    await first.signUp(anna)
    const made = await first.createSpace({ name: 'Diary' })
    await made.flushed()
    await first.close()

    const offline = open({ storage, fetch: noNetwork })
    const space = await offline.openSpace(made.id)
    space.root.root!.newNamedChild('on the train')
    offline.onUser(() => space.root.root!.newNamedChild('in the last moment'))
    await offline.signOut()
    await offline.close()
    const { counts } = await left(storage, space)
    expect(counts.pending).toBeGreaterThan(1)

    const client = open({ storage })
    await client.signUp(ben)
    const bens = await client.createSpace({ name: 'Band' })
    await bens.flushed()
    expect((await left(storage, space)).counts).toEqual(counts)
    await client.signOut()
    await client.signIn(anna)
    const back = await client.openSpace(space.id)
    await back.flushed()
    const elsewhere = open()
    await elsewhere.signIn(anna)
    const there = await elsewhere.openSpace(space.id)
    await there.loaded()
    await expect.poll(() => namesIn(there)).toEqual(['on the train', 'in the last moment'])
  })

  it('names a space of which another account on the device is a member too, and does not open it for them', async () => {
    const client = open()
    await client.signUp(anna)
    const space = await client.createSpace({ name: 'Band' })
    await space.flushed()
    const { token } = await space.invite('editor')
    await client.signOut()
    await client.signUp(ben)
    await client.acceptInvite(token)
    expect(await client.listSpaces()).toMatchObject([{ id: space.id, name: 'Band', locked: true }])
    await expect(client.openSpace(space.id)).rejects.toMatchObject(forbidden)
    await client.signOut()
    await client.signIn(anna)
    expect(await client.listSpaces()).toMatchObject([{ id: space.id, locked: false }])
    await client.signOut({ forget: true })
    await client.signIn(ben)
    expect(await client.listSpaces()).toMatchObject([{ id: space.id, locked: false }])
    await (await client.openSpace(space.id)).loaded()
  })

  it('ends waits and calls that are under way, and opens nothing that was being opened', async () => {
    const storage = memoryStorage()
    const client = open({ storage })
    await client.signUp(anna)
    const space = await client.createSpace({ name: 'Diary' })
    const other = await client.createSpace({ name: 'Other' })
    await Promise.all([space.flushed(), other.flushed()])
    await other.close()
    const read = storage.readTree.bind(storage)
    const { promise: disk, resolve: goOn } = Promise.withResolvers<void>()
    storage.readTree = async (...args) => {
      await disk
      return read(...args)
    }
    const opening = client.openSpace(other.id).catch((error: unknown) => error)
    const waiting = space.loaded({ treeId: space.id }).catch((error: unknown) => error)
    await waiting
    await client.signOut()
    goOn()
    expect(await opening).toMatchObject(unauthenticated)
    await expect(client.openSpace(other.id)).rejects.toMatchObject(unauthenticated)
  })

  it('leaves spaces that are nobody’s as they are', async () => {
    const client = open()
    const local = await client.createSpace({ name: 'Scratch' })
    await client.signUp(anna)
    await client.signOut()
    local.root.root!.newNamedChild('still here')
    await local.stored()
    expect(await client.listSpaces()).toMatchObject([{ name: 'Scratch', synced: false }])
    const made = await client.createSpace({ name: 'Made signed out' })
    expect(made.status.phase).toBe('local')
  })

  it('is followed by the other tabs at once', async () => {
    const [storage, group] = [memoryStorage(), createTabGroup()]
    const [one, other] = [open({ storage, tabs: group.tab() }), open({ storage, tabs: group.tab() })]
    await one.signUp(anna)
    await other.ready
    const here = await one.createSpace({ name: 'Diary' })
    await expect.poll(() => other.user?.name).toBe('Anna')
    const there = await other.openSpace(here.id)
    const locked = new Promise<void>((resolve) =>
      there.onStatus(({ phase }) => void (phase === 'signed-out' && resolve())),
    )
    await one.signOut()
    await locked
    expect(() => there.root.root!.newChild()).toThrow(/disposed/)
    await expect(other.openSpace(here.id)).rejects.toMatchObject(unauthenticated)
    await other.signIn(anna)
    // Both tabs hold the space, and neither opens it anew.
    await expect.poll(() => [here.status.phase, there.status.phase]).toEqual(['live', 'live'])
    here.root.root!.newNamedChild('back')
    await expect.poll(() => namesIn(there)).toEqual(['back'])
    await here.flushed()
  })

  it('closes a space that had become the user’s in another tab, of which this tab had not heard', async () => {
    const [storage, group] = [memoryStorage(), createTabGroup()]
    const deaf = group.tab()
    const onMessage = deaf.onMessage.bind(deaf)
    deaf.onMessage = (listener) =>
      onMessage((message) => void (JSON.stringify(message).includes('spaces-changed') || listener(message)))
    const [one, other] = [open({ storage, tabs: group.tab() }), open({ storage, tabs: deaf })]
    const here = await one.createSpace({ name: 'Notes' })
    const there = await other.openSpace(here.id)
    await one.signUp(anna)
    await expect.poll(() => other.user?.name).toBe('Anna')
    await here.enableSync()
    await here.flushed()
    expect(there.status.phase).toBe('local')
    await one.signOut()
    await expect.poll(() => there.status.phase).toBe('signed-out')
    await expect(there.openTree(here.id)).rejects.toMatchObject(unauthenticated)
    expect(() => there.root.root!.newChild()).toThrow(/disposed/)
  })

  it('does not make a call of the user before in the name of the next', async () => {
    const requests: string[] = []
    const asked = Promise.withResolvers<void>()
    const { promise: network, resolve: goOn } = Promise.withResolvers<void>()
    const client = open({
      async fetch(input, init) {
        const { pathname } = new URL(String(input instanceof Request ? input.url : input))
        if (!pathname.endsWith('/invites')) return fetch(input, init)
        requests.push(String(new Headers(init?.headers).get('authorization')))
        asked.resolve()
        await network
        const refusal = { error: { code: 'unauthenticated', message: 'The session has ended' } }
        return Response.json(refusal, { status: 401 })
      },
    })
    await client.signUp(anna)
    const space = await client.createSpace({ name: 'Diary' })
    await space.flushed()
    const inviting = space.invite('editor').catch((error: unknown) => error)
    await asked.promise
    await client.signOut()
    await client.signUp(ben)
    goOn()
    expect(await inviting).toMatchObject(unauthenticated)
    expect(requests).toHaveLength(1)
  })
})

describe('Forgetting an account', () => {
  it('removes its spaces from this device, and names what the server never got', async () => {
    const [storage, group] = [memoryStorage(), createTabGroup()]
    const fetcher = { isOnline: true }
    const wire: typeof fetch = (...args) => (fetcher.isOnline ? fetch(...args) : noNetwork(...args))
    const client = open({ storage, fetch: wire, tabs: group.tab() })
    const other = open({ storage, tabs: group.tab() })
    const local = await client.createSpace({ name: 'Scratch' })
    await client.signUp(anna)
    const sent = await client.createSpace({ name: 'Sent' })
    await sent.flushed()
    expect(await client.unsent()).toEqual([])
    await expect.poll(() => other.user?.name).toBe('Anna')
    const there = await other.openSpace(sent.id)
    await storage.putConfig(`view:${sent.id}`, { chat: null })
    fetcher.isOnline = false
    const unsent = await client.createSpace({ name: 'Unsent' })
    expect(await client.unsent()).toEqual([{ id: unsent.id, name: 'Unsent', edits: null }])

    // What is stored at the last moment, here or in another tab, as a reply that is stopped is, goes with the rest.
    client.onUser(() => unsent.root.root?.setProperty('late', 1))
    const told = new Promise((resolve) =>
      other.onUser((user) => {
        there.root.root?.setProperty('late', 1)
        resolve(user)
      }),
    )
    const { promise: removed, resolve: isRemoved } = Promise.withResolvers<void>()
    const [append, remove] = [storage.appendLocal.bind(storage), storage.deleteSpace.bind(storage)]
    storage.deleteSpace = async (id) => {
      await remove(id)
      if (id === sent.id) isRemoved()
    }
    storage.appendLocal = async (id, ops) => {
      if (ops.some((op) => 'key' in op && op.key === 'late')) await removed
      await append(id, ops)
    }
    await client.signOut({ forget: true })
    await told
    await there.close()
    for (const space of [sent, unsent]) {
      expect(await left(storage, space)).toEqual({
        stored: undefined,
        ops: [],
        sync: undefined,
        counts: { pending: 0, rejected: 0 },
      })
    }
    expect(await storage.getConfig(`view:${sent.id}`)).toBeUndefined()
    expect(await storage.getConfig(`syncSpaces:${there.id}`)).toBeUndefined()
    expect(() => there.root.root!.newChild()).toThrow(/disposed/)
    expect(await client.listSpaces()).toMatchObject([{ id: local.id }])
    fetcher.isOnline = true
    await client.signIn(anna)
    expect((await client.listSpaces()).map(({ name }) => name)).toEqual(['Scratch', 'Sent'])
    await (await client.openSpace(sent.id)).loaded()
  })

  it('counts the edits that wait', async () => {
    const storage = memoryStorage()
    const client = open({ storage })
    await client.signUp(anna)
    const space = await client.createSpace({ name: 'Diary' })
    await space.flushed()
    await client.close()
    const offline = open({ storage, fetch: noNetwork })
    const here = await offline.openSpace(space.id)
    here.root.root!.setProperty('one', 1)
    here.root.root!.setProperty('two', 2)
    expect(await offline.unsent()).toEqual([{ id: space.id, name: 'Diary', edits: 2 }])
  })

  it('is finished by the next start when the page was closed meanwhile, and not if the same user is back', async () => {
    for (const isBack of [false, true]) {
      const storage = memoryStorage()
      const client = open({ storage })
      await client.signUp({ ...anna, email: `${isBack}@example.org` })
      const space = await client.createSpace({ name: 'Diary' })
      await space.flushed()
      const remove = storage.deleteSpace.bind(storage)
      storage.deleteSpace = () => Promise.reject(new Error('the page was closed'))
      await expect(client.signOut({ forget: true })).rejects.toThrow('the page was closed')
      expect(client.user).toBeNull()
      if (isBack) await client.signIn({ ...anna, email: `${isBack}@example.org` })
      await client.close()
      storage.deleteSpace = remove
      const next = open({ storage })
      await next.ready
      // The last step of it, if there was something to do.
      await expect
        .poll(() => storage.getConfig(`syncSession:${server.url}/`))
        .toMatchObject({ forgetting: [] })
      expect((await storage.listSpaces()).length).toBe(isBack ? 1 : 0)
    }
  })

  it.each(['signs out', 'deletes the account'])(
    'is not lost when somebody else %s, and wants the same, before it is done',
    async (how) => {
      const storage = memoryStorage()
      const client = open({ storage })
      await client.signUp({ ...anna, email: `first ${how}@example.org`.replaceAll(' ', '-') })
      const space = await client.createSpace({ name: 'Diary' })
      await space.flushed()
      const remove = storage.deleteSpace.bind(storage)
      storage.deleteSpace = () => Promise.reject(new Error('the page was closed'))
      await expect(client.signOut({ forget: true })).rejects.toThrow('the page was closed')
      await client.signUp({ ...anna, email: `second ${how}@example.org`.replaceAll(' ', '-') })
      storage.deleteSpace = remove
      await (how === 'signs out'
        ? client.signOut({ forget: true })
        : client.deleteAccount({ password, forget: true }))
      expect(await storage.listSpaces()).toEqual([])
      expect((await left(storage, space)).ops).toEqual([])
    },
  )

  it('goes with the deletion of the account, if that is wanted', async () => {
    const storage = memoryStorage()
    const client = open({ storage })
    await client.signUp(anna)
    const space = await client.createSpace({ name: 'Diary' })
    await space.flushed()
    await client.deleteAccount({ password, forget: true })
    expect(await storage.listSpaces()).toEqual([])
    expect((await left(storage, space)).ops).toEqual([])
  })
})

describe('A session that ends by itself', () => {
  it('locks the spaces, says so after a reload too, and signing in again brings everything back', async () => {
    const storage = memoryStorage()
    const laptop = open({ storage })
    await laptop.signUp(anna)
    const space = await laptop.createSpace({ name: 'Diary' })
    await space.flushed()
    const phone = open()
    await phone.signIn(anna)
    const ended = new Promise((resolve) => laptop.onUser(resolve))
    await phone.signOut({ everywhere: true })
    expect(await ended).toBeNull()
    expect(laptop.sessionEnded).toBe(true)
    expect(() => space.root.root!.newChild()).toThrow(/disposed/)
    expect(await laptop.listSpaces()).toEqual([])
    await laptop.close()

    const again = open({ storage })
    await again.ready
    expect(again.sessionEnded).toBe(true)
    await expect(again.openSpace(space.id)).rejects.toMatchObject(unauthenticated)
    await again.signIn(anna)
    expect(again.sessionEnded).toBe(false)
    const back = await again.openSpace(space.id)
    back.root.root!.newNamedChild('back')
    await back.flushed()
  })

  it('ends a lock in place when the user signs in again, with an edit made at its last moment', async () => {
    const laptop = open()
    await laptop.signUp(anna)
    const space = await laptop.createSpace({ name: 'Diary' })
    await space.flushed()
    const phone = open()
    await phone.signIn(anna)
    const there = await phone.openSpace(space.id)
    const ended = new Promise<void>((resolve) => {
      laptop.onUser((user) => {
        if (user !== null) return
        space.root.root!.newNamedChild('at the last moment')
        resolve()
      })
    })
    await phone.signOut({ everywhere: true })
    await ended
    expect(space.status.phase).toBe('signed-out')
    await laptop.signIn(anna)
    space.root.root!.newNamedChild('right after')
    await expect.poll(() => space.status).toMatchObject({ phase: 'live', pending: 0 })
    await phone.signIn(anna)
    await expect.poll(() => namesIn(there)).toEqual(['at the last moment', 'right after'])
  })

  it('is not ended by the lack of a network: spaces open and take edits', async () => {
    const storage = memoryStorage()
    const client = open({ storage })
    await client.signUp(anna)
    const { id } = await client.createSpace({ name: 'Diary' })
    await client.close()
    const offline = open({ storage, fetch: noNetwork })
    const space = await offline.openSpace(id)
    space.root.root!.newNamedChild('offline')
    await space.stored()
    expect(offline.user?.name).toBe('Anna')
    expect((await offline.listSpaces()).map(({ name }) => name)).toEqual(['Diary'])
  })
})

describe('A client of another server over the same storage', () => {
  it('is not signed in, shows and sends nothing of the first, and leaves everything as it was', async () => {
    const storage = memoryStorage()
    const first = open({ storage })
    const user = await first.signUp(anna)
    const space = await first.createSpace({ name: 'Secret' })
    await space.flushed()
    await first.close()

    const told: string[] = []
    const spy = createHttpServer((request, response) => {
      request.setEncoding('utf8')
      request.on('data', (body: string) => told.push(body))
      told.push(String(request.headers.authorization))
      // It claims that its user is the first server's.
      response.setHeader('content-type', 'application/json')
      const session = {
        user,
        accessToken: 'its own',
        expiresInMs: 600_000,
        refreshToken: 'its own too',
        seal: 'its own',
      }
      const answers: Record<string, unknown> = {
        '/api/auth/login': session,
        '/api/spaces': { spaces: [{ id: space.id, name: 'Mine', role: 'owner', createdAt: 1 }] },
      }
      response.end(
        JSON.stringify(
          answers[request.url?.replace('/t69', '') ?? ''] ?? { error: { code: 'not_found', message: 'no' } },
        ),
      )
    })
    await new Promise<void>((resolve) => spy.listen(0, '127.0.0.1', resolve))
    const address = spy.address()
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/t69`
    const other = open({ url, storage })
    await other.ready
    expect([other.user, other.sessionEnded]).toEqual([null, false])
    expect(await other.listSpaces()).toEqual([])
    await expect(other.openSpace(space.id)).rejects.toMatchObject(unauthenticated)
    expect(told).toEqual([])
    await other.signIn(anna)
    expect(other.user?.id).toBe(user.id)
    await expect(other.openSpace(space.id)).rejects.toMatchObject(forbidden)
    expect(told.filter((text) => /Secret|refreshToken|Bearer (?!its own)/.test(text))).toEqual([])
    await other.close()

    const again = open({ storage })
    await again.ready
    expect(again.user?.name).toBe('Anna')
    const back = await again.openSpace(space.id)
    back.root.root!.newNamedChild('back')
    await back.flushed()
    await again.close()
    spy.closeAllConnections()
    await new Promise((resolve) => spy.close(resolve))
  })

  it('takes over nothing that an earlier release stored for the first, which finds everything again', async () => {
    const storage = memoryStorage()
    const first = open({ storage })
    await first.signUp(anna)
    const sent = await first.createSpace({ name: 'Sent' })
    await sent.flushed()
    await first.listSpaces()
    await first.close()
    const offline = open({ storage, fetch: noNetwork })
    const unsent = await offline.createSpace({ name: 'Unsent' })
    await offline.close()
    // As that release stored it: one session, and no space that names its server.
    const key = `:${server.url}/`
    const session = await storage.getConfig(`syncSession${key}`)
    await storage.putConfig('syncSession', { ...(session as object), server: undefined })
    await storage.putConfig(`syncSession${key}`, undefined)
    for (const space of await storage.listSpaces()) await storage.putSpace({ ...space, server: undefined })

    const second = await startServer('second')
    const other = open({ url: second.url, storage })
    await other.ready
    expect([other.user, await other.listSpaces()]).toEqual([null, []])
    await other.close()
    const again = open({ storage })
    await again.ready
    expect(again.user?.name).toBe('Anna')
    expect((await again.listSpaces()).map(({ name }) => name)).toEqual(['Sent', 'Unsent'])
    await (await again.openSpace(unsent.id)).flushed()
    const back = await again.openSpace(sent.id)
    back.root.root!.newNamedChild('back')
    await back.flushed()
  })

  it('has a session and spaces of its own beside those of the first', async () => {
    const storage = memoryStorage()
    const second = await startServer('second')
    const first = open({ storage })
    await first.signUp(anna)
    await (await first.createSpace({ name: 'First' })).flushed()
    await first.close()
    const other = open({ url: second.url, storage })
    await other.signUp(ben)
    await (await other.createSpace({ name: 'Second' })).flushed()
    await other.close()
    for (const [url, name, spaceName] of [
      [server.url, 'Anna', 'First'],
      [`${second.url}/?query#hash`, 'Ben', 'Second'],
    ] as const) {
      const again = open({ url, storage })
      await again.ready
      expect(again.user?.name).toBe(name)
      expect((await again.listSpaces()).map((info) => info.name)).toEqual([spaceName])
      await again.close()
    }
  })
})
