import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { SyncError } from '@t69/protocol'
import { createServer, parseConfig, type Server } from '@t69/server'
import {
  createSocketIoTransport,
  createSyncClient,
  createTabGroup,
  memoryStorage,
  type ClientStorage,
  type Space,
  type SpaceStatus,
  type SyncClient,
  type SyncClientOptions,
  type Transport,
} from '@t69/sync-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { freePort } from '../lib/server-process.ts'

/** The server and clients in one process, over real sockets. */

const deadlineMs = 60_000
const password = 'correct horse battery'

let dataDir: string
let server: Server
let url: string
const clients: SyncClient[] = []

async function startServer(port: number): Promise<Server> {
  const config = parseConfig({
    REGISTRATION: 'open',
    PORT: String(port),
    DATA_DIR: dataDir,
    LOG_LEVEL: 'silent',
  })
  const started = await createServer(config, { passwordCost: { memoryCost: 8, timeCost: 1, parallelism: 1 } })
  await started.listen()
  return started
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 't69-client-server-'))
  // A test may start it again there.
  server = await startServer(await freePort())
  url = server.url
})

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await server.close()
  await rm(dataDir, { recursive: true, force: true })
})

/** A network that a test can cut: open connections are closed, and none opens until it is restored. */
function createCuttable(url: string): {
  transport: Transport
  fetch: typeof fetch
  cut(): void
  mend(): void
} {
  const transport = createSocketIoTransport(url)
  const open = new Set<() => void>()
  let isCut = false
  return {
    fetch: (input, init) => (isCut ? Promise.reject(new Error('cut')) : fetch(input, init)),
    transport: {
      connect(handshake, listener) {
        const lost = { code: 'unavailable', message: 'cut' } as const
        if (isCut) {
          queueMicrotask(() => listener.closed(lost))
          return {
            request: (_name, _payload, answered) => answered({ ok: false, error: lost }),
            signal() {},
            close() {},
          }
        }
        const connection = transport.connect(handshake, listener)
        open.add(() => {
          connection.close()
          listener.closed(lost)
        })
        return connection
      },
    },
    cut() {
      isCut = true
      for (const close of open) close()
      open.clear()
    },
    mend() {
      isCut = false
    },
  }
}

function device(options: Partial<SyncClientOptions> & { storage?: ClientStorage } = {}): SyncClient {
  const client = createSyncClient({ url, storage: memoryStorage(), ...options })
  clients.push(client)
  return client
}

async function until(space: Space, holds: (status: SpaceStatus) => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(
    () => reject(new Error(`In ${deadlineMs} ms not reached; last: ${JSON.stringify(space.status)}`)),
    deadlineMs,
  )
  const check = (status: SpaceStatus): void => void (holds(status) && resolve())
  const stop = space.onStatus(check)
  check(space.status)
  await promise.finally(() => {
    clearTimeout(timer)
    stop()
  })
}

async function namedIn(space: Space, count: number): Promise<void> {
  if (space.presence.length === count) return
  await new Promise<void>((resolve) => {
    const stop = space.onPresence((present) => {
      if (present.length !== count) return
      stop()
      resolve()
    })
  })
}

/** Why a wait ended; undefined if what it waited for came. Handles the rejection from now on. */
const endOf = (wait: Promise<unknown>): Promise<unknown> =>
  wait.then(
    () => undefined,
    (error: unknown) => error,
  )

const live = (space: Space) => until(space, ({ phase }) => phase === 'live')

/** Waits until the edits of both are committed, and both have read the log to its end. */
async function agree(one: Space, other: Space): Promise<void> {
  await Promise.all([one.flushed(), other.flushed()])
  const head = Math.max(one.status.head, other.status.head)
  await Promise.all([
    until(one, ({ cursor }) => cursor >= head),
    until(other, ({ cursor }) => cursor >= head),
  ])
  expect(one.root.digest()).toBe(other.root.digest())
  expect(one.status).toMatchObject({ phase: 'live', pending: 0, rejected: 0, error: null })
  expect(other.status).toMatchObject({ phase: 'live', pending: 0, rejected: 0, error: null })
}

/** Makes an edit, and waits until it is committed, in a space that always has another edit to send. */
async function flushedWhileEdited(space: Space, name: string): Promise<void> {
  let edits = 0
  const edit = (): void => space.root.root!.setProperty('edits', ++edits)
  const stop = space.onStatus(({ pending }) => void (pending === 0 && edit()))
  try {
    edit()
    const { id } = space.root.root!.newNamedChild(name)
    await space.flushed({ signal: AbortSignal.timeout(deadlineMs) })
    const { vertices } = await space.at(space.status.head)
    expect(vertices.map((vertex) => vertex.id)).toContain(id)
  } finally {
    stop()
  }
}

const anna = { email: 'anna@example.org', password, name: 'Anna' }
const ben = { email: 'ben@example.org', password, name: 'Ben' }

describe('a client and the server', () => {
  it('a second device gets a space that was local, with everything written before', async () => {
    const laptop = device()
    const space = await laptop.createSpace({ name: 'Notes' })
    space.root.root!.newNamedChild('before sign-up')
    const chat = await space.createTree()
    for (let index = 0; index < 50; index++) chat.root!.newNamedChild(`message ${index}`)
    expect(space.status.phase).toBe('local')

    await laptop.signUp(anna)
    await space.enableSync()
    await space.flushed()
    expect(space.status).toMatchObject({ phase: 'live', pending: 0, error: null })

    const phone = device()
    await phone.signIn(anna)
    const [listed] = await phone.listSpaces()
    expect(listed).toMatchObject({ id: space.id, name: 'Notes', role: 'owner', synced: true })
    const there = await phone.openSpace(space.id)
    await live(there)
    await agree(space, there)
    const chatThere = await there.openTree(space.treeIdOf(chat))
    expect(chatThere.digest()).toBe(chat.digest())
  })

  it('two devices see each other’s edits, and agree after an absence of the network', async () => {
    const net = createCuttable(url)
    const laptop = device(net)
    await laptop.signUp(anna)
    const here = await laptop.createSpace({ name: 'Notes' })
    await here.flushed()
    const phone = device()
    await phone.signIn(anna)
    const there = await phone.openSpace(here.id)
    await live(there)

    here.root.root!.newNamedChild('from the laptop')
    there.root.root!.newNamedChild('from the phone')
    await agree(here, there)

    net.cut()
    await until(here, ({ phase }) => phase === 'offline')
    for (let index = 0; index < 20; index++) here.root.root!.newNamedChild(`offline ${index}`)
    there.root.root!.newNamedChild('meanwhile')
    await here.stored()
    expect(here.status.pending).toBeGreaterThan(0)
    await there.flushed()

    net.mend()
    await agree(here, there)
    expect(here.root.getVertexByPath('meanwhile')).toBeDefined()
    expect(there.root.getVertexByPath('offline 19')).toBeDefined()
  })

  it('[CL9] a client repeats pushes that a restarted server may not have received, even after a reload', async () => {
    const storage = memoryStorage()
    const laptop = device({ storage })
    await laptop.signUp(anna)
    const here = await laptop.createSpace({ name: 'Notes' })
    await here.flushed()
    const { port } = server
    const spaceId = here.id
    await server.close()
    await until(here, ({ phase }) => phase === 'offline')
    here.root.root!.newNamedChild('while the server was away')
    await here.stored()
    const digest = here.root.digest()
    await laptop.close()

    const again = device({ storage })
    await again.ready
    expect(again.user).toMatchObject({ name: 'Anna' })
    const reloaded = await again.openSpace(spaceId)
    expect(reloaded.root.digest()).toBe(digest)
    expect(reloaded.status.pending).toBeGreaterThan(0)
    server = await startServer(port)
    await reloaded.flushed()

    const phone = device()
    await phone.signIn(anna)
    const there = await phone.openSpace(spaceId)
    await live(there)
    expect(there.root.digest()).toBe(digest)
  })

  it('`flushed` ends once what was edited before is committed, while something goes on editing', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const here = await laptop.createSpace({ name: 'Notes' })
    // The first time, it also has to find out what the log lacks.
    await flushedWhileEdited(here, 'first')
    await flushedWhileEdited(here, 'second')

    const phone = device()
    await phone.signIn(anna)
    const there = await phone.openSpace(here.id)
    await agree(here, there)
    for (const name of ['first', 'second']) expect(there.root.getVertexByPath(name)).toBeDefined()
  })

  it('an invite shares a space, a viewer cannot write, and a removed member is told', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const here = await laptop.createSpace({ name: 'Ours' })
    await here.flushed()
    const { token } = await here.invite('viewer')

    const phone = device()
    const preview = { space: 'Ours', role: 'viewer', invitedBy: anna.name }
    expect(await phone.previewInvite(token)).toMatchObject(preview)
    const benUser = await phone.signUp(ben)
    expect(await phone.previewInvite(token)).toMatchObject(preview)
    expect(await here.members()).toHaveLength(1)
    const summary = await phone.acceptInvite(token)
    expect(summary).toMatchObject({ id: here.id, name: 'Ours', role: 'viewer' })
    const there = await phone.openSpace(here.id)
    await live(there)
    expect(there.role).toBe('viewer')
    there.root.root!.newNamedChild('mine')
    await until(there, ({ error }) => error?.code === 'forbidden')
    expect(there.status.pending).toBeGreaterThan(0)

    await here.changeRole(benUser.id, 'editor')
    await until(there, () => there.rights.edit)
    await agree(here, there)
    expect(here.root.getVertexByPath('mine')).toBeDefined()

    here.setPresence('here')
    await namedIn(there, 1)
    await here.removeMember(benUser.id)
    await until(there, ({ phase }) => phase === 'blocked')
    expect(there.presence).toEqual([])
    expect(there.status.error?.code).toBe('forbidden')
    await expect(there.members()).rejects.toBeInstanceOf(SyncError)
  })

  it('a space whose name is longer than the server takes syncs under the beginning of it', async () => {
    const storage = memoryStorage()
    const laptop = device({ storage })
    const space = await laptop.createSpace({ name: 'Notes' })
    const [stored] = await storage.listSpaces()
    // As t69 stored it before it synced. The server's last character would be half of one.
    await storage.putSpace({ ...stored!, name: `${'x'.repeat(199)}😀 and more` })
    await laptop.signUp(anna)
    await space.enableSync()
    await space.flushed()
    const [listed] = await laptop.listSpaces()
    expect(listed).toMatchObject({ id: space.id, name: 'x'.repeat(199), role: 'owner' })
  })

  /** A network on which the registration of a space waits until `answer` is called, and which notes what else is asked. */
  function slowToRegister() {
    const [asked, released, deleted] = Array.from({ length: 3 }, () => Promise.withResolvers<void>())
    const slowly: typeof fetch = async (input, init) => {
      const { pathname } = new URL(input instanceof Request ? input.url : input)
      if (init?.method === 'POST' && pathname === '/api/spaces') {
        asked!.resolve()
        await released!.promise
      }
      const answer = await fetch(input, init)
      if (init?.method === 'DELETE') deleted!.resolve()
      return answer
    }
    return { fetch: slowly, asked: asked!.promise, answer: released!.resolve, deleted: deleted!.promise }
  }

  it('a space that is renamed while it is being registered has its new name everywhere', async () => {
    const net = slowToRegister()
    const laptop = device({ fetch: net.fetch })
    await laptop.signUp(anna)
    const space = await laptop.createSpace({ name: 'Draft' })
    await net.asked
    await space.rename('Final')
    net.answer()
    await space.flushed()
    const phone = device()
    await phone.signIn(anna)
    for (const client of [laptop, phone]) expect(await client.listSpaces()).toMatchObject([{ name: 'Final' }])
    expect(space.name).toBe('Final')
    await space.rename('Last')
    expect(await phone.listSpaces()).toMatchObject([{ name: 'Last' }])
  })

  it('a space that is deleted while it is being registered does not come back', async () => {
    const net = slowToRegister()
    const laptop = device({ fetch: net.fetch })
    await laptop.signUp(anna)
    const space = await laptop.createSpace({ name: 'Draft' })
    await net.asked
    await laptop.deleteSpace(space.id)
    net.answer()
    await net.deleted
    expect(await laptop.listSpaces()).toEqual([])
    await expect(laptop.openSpace(space.id)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('whoever waits for the server is told when it will not come to that', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const here = await laptop.createSpace({ name: 'Ours' })
    await here.flushed()
    const { token } = await here.invite('viewer')
    const net = createCuttable(url)
    const phone = device(net)
    const benUser = await phone.signUp(ben)
    await phone.acceptInvite(token)
    const there = await phone.openSpace(here.id)

    // Nothing waits: a viewer has nothing to send.
    await there.flushed()
    ;(await there.loaded()).newNamedChild('mine')
    await expect(there.flushed()).rejects.toMatchObject({ code: 'forbidden' })

    await here.changeRole(benUser.id, 'editor')
    await until(there, () => there.rights.edit)
    await there.flushed()

    net.cut()
    await until(there, ({ phase }) => phase === 'offline')
    there.root.root!.newNamedChild('offline')
    const leaving = new AbortController()
    const given = endOf(there.flushed({ signal: leaving.signal }))
    leaving.abort()
    expect(await given).toMatchObject({ name: 'AbortError' })

    // A space that one is removed from looks like one that does not exist.
    const waiting = endOf(there.flushed())
    await here.removeMember(benUser.id)
    net.mend()
    expect(await waiting).toMatchObject({ code: 'not_found' })
  })

  it('whoever waits for the server or for a root is told when the space is closed or deleted', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const made = await laptop.createSpace({ name: 'Ours' })
    await made.flushed()
    const net = createCuttable(url)
    const phone = device(net)
    await phone.signIn(anna)
    await phone.listSpaces()
    net.cut()
    const there = await phone.openSpace(made.id)
    expect(there.root.root).toBeUndefined()
    const closed = { code: 'unavailable', message: 'The space was closed' }
    const waiting = [endOf(there.flushed()), endOf(there.loaded())]
    await there.close()
    expect(await Promise.all(waiting)).toMatchObject([closed, closed])
    expect(await endOf(there.flushed())).toMatchObject(closed)

    const again = await phone.openSpace(made.id)
    const gone = { code: 'not_found' }
    const waitingAgain = [endOf(again.flushed()), endOf(again.loaded())]
    await laptop.deleteSpace(made.id)
    net.mend()
    expect(await Promise.all(waitingAgain)).toMatchObject([gone, gone])
    expect(await endOf(again.flushed())).toMatchObject(gone)
    expect(await endOf(again.loaded())).toMatchObject(gone)
  })

  it('a space is deleted nowhere while its server cannot be asked, even if no list of it was read yet', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const made = await laptop.createSpace({ name: 'Ours' })
    await made.flushed()
    const net = createCuttable(url)
    const storage = memoryStorage()
    const phone = device({ ...net, storage })
    await phone.signIn(anna)
    const there = await phone.openSpace(made.id)
    await there.loaded()
    net.cut()
    there.root.root!.newNamedChild('unsent')
    await expect(phone.deleteSpace(made.id)).rejects.toMatchObject({ code: 'unavailable' })
    expect(there.isDeleted).toBe(false)
    await phone.close()

    const later = device({ ...net, storage })
    await later.ready
    await expect(later.deleteSpace(made.id)).rejects.toMatchObject({ code: 'unavailable' })
    expect(await later.unsent()).toMatchObject([{ id: made.id }])
    net.mend()
    await later.deleteSpace(made.id)
    expect(await later.listSpaces()).toEqual([])
    expect(await laptop.listSpaces()).toMatchObject([{ id: made.id, role: null }])
  })

  it('the server is asked who may delete a space, and which one it is, while its list does not come', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const made = await laptop.createSpace({ name: 'Ours' })
    await made.flushed()
    const guest = device()
    await guest.signUp(ben)
    await guest.acceptInvite((await made.invite('editor')).token)
    const withoutList: typeof fetch = async (input, init) => {
      const { pathname } = new URL(input instanceof Request ? input.url : input)
      if (pathname === '/api/spaces') throw new Error('too slow')
      return fetch(input, init)
    }
    // As after the space was lost, and another one registered under its id.
    const ofAnother: typeof fetch = async (input, init) => {
      const answer = await withoutList(input, init)
      if (init?.method !== 'GET') return answer
      const text = await answer.text()
      return new Response(text.replace(/"identity":"[^"]*"/, `"identity":"${'f'.repeat(32)}"`))
    }
    const deleteAs = async (who: typeof anna, fetchThen: typeof fetch): Promise<void> => {
      let fetchNow = withoutList
      const phone = device({ fetch: (input, init) => fetchNow(input, init) })
      await phone.signIn(who)
      const there = await phone.openSpace(made.id)
      await there.loaded()
      fetchNow = fetchThen
      await phone.deleteSpace(made.id)
      expect(there.isDeleted).toBe(true)
    }
    const idsOnServer = async () =>
      (await guest.listSpaces()).filter(({ role }) => role !== null).map(({ id }) => id)

    await deleteAs(ben, withoutList)
    await deleteAs(anna, ofAnother)
    expect(await idsOnServer()).toEqual([made.id])
    await deleteAs(anna, withoutList)
    expect(await idsOnServer()).toEqual([])
  })

  it('a space that only the server has can be edited once its root is loaded', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const here = await laptop.createSpace({ name: 'Notes' })
    const chat = await here.createTree()
    await here.flushed()
    const treeId = here.treeIdOf(chat)

    const phone = device()
    await phone.signIn(anna)
    const there = await phone.openSpace(here.id)
    const chatThere = await there.openTree(treeId)
    expect(there.root.root).toBeUndefined()
    expect(() => there.root.newVertex(here.id)).toThrow(/no vertex/)
    expect(await endOf(there.loaded({ signal: AbortSignal.abort() }))).toMatchObject({ name: 'AbortError' })
    const [root, chatRoot] = await Promise.all([there.loaded(), there.loaded({ treeId })])
    root.newNamedChild('folder')
    chatRoot.newNamedChild('messages')
    expect(chatThere.root?.id).toBe(chatRoot.id)
    await agree(here, there)
    expect(here.root.getVertexByPath('folder')).toBeDefined()
  })

  it('two clients that write at once pull nothing that they are sent anyway', async () => {
    const pulled: number[] = []
    const counted: Transport = {
      connect(handshake, listener) {
        const connection = createSocketIoTransport(url).connect(handshake, listener)
        return {
          ...connection,
          request(name, payload, answered) {
            if (name === 'ops:pull' && 'after' in payload) pulled.push(payload.after)
            connection.request(name, payload, answered)
          },
        }
      },
    }
    const [laptop, phone] = [device({ transport: counted }), device({ transport: counted })]
    await laptop.signUp(anna)
    const here = await laptop.createSpace({ name: 'Notes' })
    await here.flushed()
    await phone.signIn(anna)
    const there = await phone.openSpace(here.id)
    await live(there)
    await agree(here, there)

    pulled.length = 0
    const write = async (space: Space): Promise<void> => {
      for (let edit = 0; edit < 30; edit++) {
        space.root.root!.setProperty('edit', edit)
        await space.flushed()
      }
    }
    await Promise.all([write(here), write(there)])
    await agree(here, there)
    expect(pulled).toEqual([])
  })

  it('a client shows who is present, and a text as it streams in, without storing it', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const here = await laptop.createSpace({ name: 'Ours' })
    const message = here.root.root!.newNamedChild('message')
    await here.flushed()
    const phone = device()
    await phone.signIn(anna)
    const there = await phone.openSpace(here.id)
    await live(there)
    here.setPresence({ at: 'message' })
    await namedIn(there, 1)
    expect(there.presence).toMatchObject([{ user: { name: 'Anna' }, state: { at: 'message' } }])

    const text = 'one two three four five six seven'
    const arrived = new Promise<void>((resolve) => {
      there.root.observe(message.id, () => {
        if (there.root.getVertexProperty(message.id, 'text') === text) resolve()
      })
    })
    const words = text.split(' ')
    for (let count = 1; count <= words.length; count++) {
      message.setTransientProperty('text', words.slice(0, count).join(' '))
    }
    await arrived
    expect(there.root.getVertexProperty(message.id, 'text', false)).toBeUndefined()
    expect(here.status.pending).toBe(0)
    message.setProperty('text', text)
    await agree(here, there)
    expect(there.root.getVertexProperty(message.id, 'text', false)).toBe(text)
  })

  it('[TR5] a stored part of a text that streams in does not hide the later parts', async () => {
    const inner = createSocketIoTransport(url)
    const gate = Promise.withResolvers<void>()
    let isHeld = false
    const laptop = device({
      transport: {
        connect(handshake, listener) {
          const connection = inner.connect(handshake, listener)
          return {
            ...connection,
            request(name, payload, answered) {
              const send = (): void => connection.request(name, payload, answered)
              if (isHeld && name === 'ops:push') void gate.promise.then(send)
              else send()
            },
          }
        },
      },
    })
    await laptop.signUp(anna)
    const here = await laptop.createSpace({ name: 'Ours' })
    const message = here.root.root!.newNamedChild('message')
    await here.flushed()
    const phone = device()
    await phone.signIn(anna)
    const there = await phone.openSpace(here.id)
    await live(there)
    here.setPresence('here')
    await namedIn(there, 1)
    const shown = (): unknown => there.root.getVertexProperty(message.id, 'text')

    isHeld = true
    message.setProperty('text', 'one two')
    message.setTransientProperty('text', 'one two three')
    await expect.poll(shown).toBe('one two three')
    gate.resolve()
    await agree(here, there)
    expect(there.root.getVertexProperty(message.id, 'text', false)).toBe('one two')
    expect(shown()).toBe('one two three')
    message.setTransientProperty('text', 'one two three four')
    await expect.poll(shown).toBe('one two three four')
    message.setProperty('text', 'one two three four five')
    await agree(here, there)
    expect(shown()).toBe('one two three four five')
  })

  it('presence is empty while a client is not live, and complete once it is again', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const here = await laptop.createSpace({ name: 'Ours' })
    await here.flushed()
    here.setPresence('here')
    const network = createCuttable(url)
    const phone = device({ transport: network.transport, fetch: network.fetch })
    await phone.signIn(anna)
    const there = await phone.openSpace(here.id)
    await namedIn(there, 1)
    const heard: number[] = []
    there.onPresence((present) => heard.push(present.length))
    network.cut()
    await until(there, ({ phase }) => phase === 'offline')
    expect(there.presence).toEqual([])
    network.mend()
    await namedIn(there, 1)
    expect(there.status.phase).toBe('live')
    expect(heard).toEqual([0, 1])
  })

  it('a client that opens a tree while a text streams in shows it', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const here = await laptop.createSpace({ name: 'Ours' })
    const chat = await here.createTree()
    const treeId = here.treeIdOf(chat)
    const message = chat.root!.newNamedChild('message')
    await here.flushed()
    const phone = device()
    await phone.signIn(anna)
    const there = await phone.openSpace(here.id)
    await live(there)
    message.setTransientProperty('text', 'half a rep')
    const seen = here.root.root!.newNamedChild('said')
    seen.setTransientProperty('text', 'said')
    await here.flushed()
    await expect.poll(() => there.root.getVertexProperty(seen.id, 'text')).toBe('said')
    const opened = await there.openTree(treeId)
    expect(opened.getVertexProperty(message.id, 'text')).toBe('half a rep')
  })

  it('all tabs sync over the connection of one, and another takes over when that closes', async () => {
    const storage = memoryStorage()
    const tabs = createTabGroup()
    const first = device({ storage, tabs: tabs.tab() })
    await first.signUp(anna)
    const second = device({ storage, tabs: tabs.tab() })
    await second.ready
    const here = await first.createSpace({ name: 'Notes' })
    await here.flushed()
    const there = await second.openSpace(here.id)
    there.root.root!.newNamedChild('from the second tab')
    await there.flushed()
    expect(here.root.getVertexByPath('from the second tab')).toBeDefined()
    await flushedWhileEdited(there, 'while the second tab is edited')
    await there.flushed()

    await first.close()
    there.root.root!.newNamedChild('after the first tab went')
    await there.flushed()
    await live(there)
    const phone = device()
    await phone.signIn(anna)
    const elsewhere = await phone.openSpace(here.id)
    await live(elsewhere)
    expect(elsewhere.root.digest()).toBe(there.root.digest())
  })

  it('a person is no longer present once their only tab in the space was killed, though another has the connection', async () => {
    const storage = memoryStorage()
    const group = createTabGroup()
    const first = device({ storage, tabs: group.tab() })
    await first.signUp(anna)
    const ours = await first.createSpace({ name: 'Ours' })
    const mine = await first.createSpace({ name: 'Mine' })
    await Promise.all([ours.flushed(), mine.flushed()])
    await ours.close()
    const killed = group.tab()
    const second = device({ storage, tabs: killed })
    const here = await second.openSpace(ours.id)
    await live(here)
    here.setPresence('in the second tab')
    const phone = device()
    await phone.signIn(anna)
    const there = await phone.openSpace(ours.id)
    await namedIn(there, 1)
    killed.close()
    await namedIn(there, 0)
    expect(mine.status.phase).toBe('live')
  })

  it('edits made offline are sent even if their space is closed by the time there is a network', async () => {
    const net = createCuttable(url)
    const storage = memoryStorage()
    const laptop = device({ ...net, storage })
    await laptop.signUp(anna)
    const notes = await laptop.createSpace({ name: 'Notes' })
    await notes.flushed()
    const other = await laptop.createSpace({ name: 'Other' })
    await other.flushed()
    net.cut()
    await until(notes, ({ phase }) => phase === 'offline')
    notes.root.root!.newNamedChild('written on the train')
    await notes.close()
    net.mend()
    await other.flushed()
    await expect
      .poll(async () => (await storage.countPending(notes.id)).pending, { timeout: deadlineMs })
      .toBe(0)
  })

  it('a space that is closed before the server has all of it is still sent', async () => {
    const net = createCuttable(url)
    const storage = memoryStorage()
    const laptop = device({ ...net, storage })
    await laptop.signUp(anna)
    const other = await laptop.createSpace({ name: 'Other' })
    await other.flushed()
    await laptop.signOut()
    const notes = await laptop.createSpace({ name: 'Notes' })
    notes.root.root!.newNamedChild('written before it synced')
    await laptop.signIn(anna)
    net.cut()
    await notes.enableSync()
    await notes.close()
    await laptop.close()

    const again = device({ ...net, storage })
    net.mend()
    await again.ready
    const isThere = async () => {
      const state = await storage.getSyncState(notes.id)
      return state?.reconciling === false && (await storage.countPending(notes.id)).pending === 0
    }
    await expect.poll(isThere, { timeout: deadlineMs }).toBe(true)
  })

  it('edits in a space that was closed before its sync began are sent', async () => {
    const storage = memoryStorage()
    const laptop = device({ storage })
    await laptop.signUp(anna)
    const notes = await laptop.createSpace({ name: 'Notes' })
    await notes.flushed()
    const other = await laptop.createSpace({ name: 'Other' })
    await other.flushed()
    await laptop.close()
    const leading = storage.forLeader.bind(storage)
    const { promise: disk, resolve: goOn } = Promise.withResolvers<void>()
    storage.forLeader = () => {
      const leader = leading()
      const read = leader.getSyncState.bind(leader)
      leader.getSyncState = async (spaceId) => {
        await disk
        return read(spaceId)
      }
      return leader
    }
    const again = device({ storage })
    await again.openSpace(other.id)
    const space = await again.openSpace(notes.id)
    space.root.root!.newNamedChild('in passing')
    await space.close()
    expect((await storage.countPending(notes.id)).pending).toBeGreaterThan(0)
    goOn()
    await expect
      .poll(async () => (await storage.countPending(notes.id)).pending, { timeout: deadlineMs })
      .toBe(0)
  })

  it('a space whose storage failed while it was opened still syncs', async () => {
    const storage = memoryStorage()
    const laptop = device({ storage })
    await laptop.signUp(anna)
    const { id } = await laptop.createSpace({ name: 'Notes' })
    await laptop.close()
    const leading = storage.forLeader.bind(storage)
    let failing = 2
    storage.forLeader = () => {
      const leader = leading()
      const read = leader.getSyncState.bind(leader)
      leader.getSyncState = (spaceId) =>
        failing-- > 0 ? Promise.reject(new Error('not just now')) : read(spaceId)
      return leader
    }
    const again = device({ storage })
    const space = await again.openSpace(id)
    space.root.root!.newNamedChild('soon')
    await space.flushed()
    expect(failing).toBeLessThan(0)
  })

  it('a client says what is unsent, and signs out, while a full disk holds up a new space', async () => {
    const storage = memoryStorage()
    const client = device({ storage })
    await client.signUp(anna)
    const append = storage.appendLocal.bind(storage)
    storage.appendLocal = () => Promise.reject(new Error('no room'))
    const creating = endOf(client.createSpace({ name: 'Notes' }))
    await expect.poll(() => client.unsent()).toMatchObject([{ name: 'Notes' }])
    await client.signOut()
    expect(await creating).toMatchObject({ code: 'unauthenticated' })
    storage.appendLocal = append
  })

  it('[AU7] devices lock the spaces of a deleted account, and send its edits for nobody else', async () => {
    const laptopStorage = memoryStorage()
    const laptop = device({ storage: laptopStorage })
    await laptop.signUp(anna)
    const own = await laptop.createSpace({ name: 'Own' })
    const bens = device()
    await bens.signUp(ben)
    const shared = await bens.createSpace({ name: 'Shared' })
    await shared.flushed()
    const { token } = await shared.invite('editor')
    await laptop.acceptInvite(token)
    const here = await laptop.openSpace(shared.id)
    await agree(here, shared)
    here.root.root!.newNamedChild('from the laptop')
    own.root.root!.newNamedChild('mine')
    await Promise.all([own.flushed(), agree(here, shared)])

    // Her other device is offline at that time, and continues to write.
    const network = createCuttable(url)
    const phoneStorage = memoryStorage()
    const phone = device({ storage: phoneStorage, transport: network.transport, fetch: network.fetch })
    await phone.signIn(anna)
    const there = await phone.openSpace(shared.id)
    await agree(there, shared)
    network.cut()
    there.root.root!.newNamedChild('offline on the phone')
    await there.stored()

    await expect(laptop.deleteAccount({ password: 'guessed' })).rejects.toMatchObject({
      code: 'wrong_credentials',
    })
    here.root.root!.newNamedChild('in the last moment')
    await laptop.deleteAccount({ password })
    expect([laptop.user, laptop.sessionEnded]).toEqual([null, false])
    for (const space of [own, here]) {
      expect(space.status.phase).toBe('signed-out')
      expect(() => space.root.root!.newChild()).toThrow(/disposed/)
    }
    expect(await laptop.listSpaces()).toEqual([])

    network.mend()
    await until(there, ({ phase }) => phase === 'signed-out')
    expect([phone.user, phone.sessionEnded]).toEqual([null, true])
    await expect(phone.signIn(anna)).rejects.toMatchObject({ code: 'wrong_credentials' })

    // The address is free. An account that takes it is another person, on both devices.
    await phone.signUp(anna)
    await laptop.signIn(anna)
    for (const client of [laptop, phone]) {
      expect((await client.listSpaces()).filter(({ name }) => name !== 'Fresh')).toEqual([])
      await expect(client.openSpace(shared.id)).rejects.toMatchObject({ code: 'forbidden' })
      const fresh = await client.createSpace({ name: 'Fresh' })
      fresh.root.root!.newNamedChild('new life')
      await fresh.flushed()
    }
    shared.root.root!.newNamedChild('only for who is in it')
    await shared.flushed()
    const names = shared.root.root!.children.map(({ name }) => name)
    expect(names.filter((name) => name !== 'in the last moment')).toEqual([
      'from the laptop',
      'only for who is in it',
    ])
    expect((await shared.members()).map(({ user }) => user.name)).toEqual(['Ben'])
    expect((await phoneStorage.countPending(shared.id)).pending).toBeGreaterThan(0)
    expect(await laptopStorage.getSpace(own.id)).toMatchObject({ name: 'Own' })
  })

  it('after a change of password, this device continues and others have to sign in', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const here = await laptop.createSpace({ name: 'Ours' })
    await here.flushed()
    const phone = device()
    await phone.signIn(anna)
    const there = await phone.openSpace(here.id)
    await live(there)
    await laptop.changePassword({ password, newPassword: 'a better battery' })
    await until(there, ({ phase }) => phase === 'signed-out')
    expect(phone.sessionEnded).toBe(true)
    here.root.root!.newNamedChild('going on')
    await here.flushed()
    expect(laptop.user).toMatchObject({ name: 'Anna' })
    await expect(phone.signIn(anna)).rejects.toMatchObject({ code: 'wrong_credentials' })
    await phone.signIn({ ...anna, password: 'a better battery' })
    const back = await phone.openSpace(here.id)
    back.root.root!.newNamedChild('signed in again')
    await agree(here, back)
    expect(here.root.root!.children).toHaveLength(2)
  })

  it('a client changes the name of its user, and has it at once, as have others in a space', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const space = await laptop.createSpace({ name: 'Ours' })
    await space.flushed()
    const heard: (string | undefined)[] = []
    laptop.onUser((user) => heard.push(user?.name))
    await laptop.changeName('Anne')
    expect(laptop.user).toMatchObject({ name: 'Anne' })
    expect(heard).toEqual(['Anne'])
    expect(await space.members()).toMatchObject([{ user: { name: 'Anne' } }])
    await live(space)
    await expect(laptop.changeName(' ')).rejects.toMatchObject({ code: 'invalid_request' })
  })

  it('a client lists the sessions of its user, and ends that of another device, which locks its spaces', async () => {
    const [laptop, phone, tablet] = [device(), device(), device()]
    await laptop.signUp(anna)
    const space = await laptop.createSpace({ name: 'Ours' })
    await space.flushed()
    await phone.signIn(anna)
    const [there] = await laptop.sessions()
    expect(await laptop.sessions()).toMatchObject([{ isThis: false }, { isThis: true }])
    const onPhone = await phone.openSpace(space.id)
    await live(onPhone)
    await laptop.endSession(there!.id)
    await until(onPhone, ({ phase }) => phase === 'signed-out')
    expect(phone.sessionEnded).toBe(true)
    await expect(laptop.endSession(there!.id)).rejects.toMatchObject({ code: 'not_found' })
    await tablet.signIn(anna)
    const onTablet = await tablet.openSpace(space.id)
    await live(onTablet)
    await laptop.endOtherSessions()
    await until(onTablet, ({ phase }) => phase === 'signed-out')
    expect(await laptop.sessions()).toMatchObject([{ isThis: true }])
  })

  it('a client lists the invites of a space, and withdraws one', async () => {
    const laptop = device()
    await laptop.signUp(anna)
    const space = await laptop.createSpace({ name: 'Ours' })
    await space.flushed()
    const { id, token } = await space.invite('editor')
    expect(await space.invites()).toMatchObject([{ id, role: 'editor', uses: 0, createdBy: laptop.user?.id }])
    await space.withdrawInvite(id)
    expect(await space.invites()).toEqual([])
    const other = device()
    await other.signUp(ben)
    await expect(other.acceptInvite(token)).rejects.toMatchObject({ code: 'invite_expired' })
  })
})
