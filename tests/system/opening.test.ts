import { spaceSchema, type ErrorBody } from '@t69/protocol'
import {
  createSocketIoTransport,
  createSyncClient,
  createTabGroup,
  memoryStorage,
  type Space,
  type SyncClient,
  type SyncClientOptions,
  type Transport,
} from '@t69/sync-client'
import { afterEach, beforeEach, expect, it } from 'vitest'

import { startLiveServer, type LiveServer } from '../lib/live-server.ts'

const anna = { email: 'anna@example.org', password: 'correct horse battery', name: 'Anna' }
const ben = { ...anna, email: 'ben@example.org', name: 'Ben' }

let server: LiveServer
const clients: SyncClient[] = []

beforeEach(async () => {
  server = await startLiveServer()
})

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close()
  await server[Symbol.asyncDispose]()
})

interface Wire {
  /** What was asked, over HTTP and over the socket, in order. */
  readonly asked: string[]
  /** Resolves when this tab holds the connection. */
  readonly connected: Promise<void>
  /** Answers the joins instead of the server. */
  refuseJoins?: ErrorBody
  /** As a server of protocol version 6 answers. */
  describesNothing?: boolean
  /** Keeps back the answer of a join. */
  holdJoin?: (answer: () => void) => boolean
}

/** A device of a person who is signed in and connected, and what it asks from then on. */
async function device(
  person: typeof anna,
  options: Partial<SyncClientOptions> = {},
): Promise<{ readonly client: SyncClient; readonly wire: Wire }> {
  const connected = Promise.withResolvers<void>()
  const wire: Wire = { asked: [], connected: connected.promise }
  const client = createSyncClient({
    url: server.url,
    storage: memoryStorage(),
    fetch: (input, init) => {
      const { method, url } = new Request(input, init)
      wire.asked.push(`${method} ${new URL(url).pathname}`)
      return fetch(input, init)
    },
    transport: listening(wire, connected.resolve),
    ...options,
  })
  clients.push(client)
  await client.signIn(person).catch(() => client.signUp(person))
  // Another tab may hold the connection.
  if (options.tabs === undefined) await connected.promise
  wire.asked.length = 0
  return { client, wire }
}

function listening(wire: Wire, opened: () => void): Transport {
  const transport = createSocketIoTransport(server.url)
  return {
    connect(handshake, listener) {
      const connection = transport.connect(handshake, {
        ...listener,
        opened: () => {
          listener.opened()
          opened()
        },
      })
      return {
        ...connection,
        request(name, payload, answered) {
          wire.asked.push(name)
          const error = wire.refuseJoins
          if (name === 'space:join' && error !== undefined) return answered({ ok: false, error })
          connection.request(name, payload, (ack) => {
            if (wire.describesNothing === true && 'space' in ack) delete ack.space
            const answer = (): void => answered(ack)
            if (name !== 'space:join' || wire.holdJoin?.(answer) !== true) answer()
          })
        },
      }
    },
  }
}

async function live(space: Space): Promise<void> {
  await expect.poll(() => space.status).toMatchObject({ phase: 'live', error: null })
}

/** A space of Anna's with an edit in it, which her first device has open. */
async function shared(name = 'Notes'): Promise<Space> {
  const { client } = await device(anna)
  const space = await client.createSpace({ name })
  space.root.root!.newNamedChild('written before')
  await space.flushed()
  return space
}

it('[JO10] a device that knows the id of a space opens it in one request', async () => {
  const here = await shared()
  const { client, wire } = await device(anna)
  const there = await client.openSpace(here.id)
  await live(there)
  expect(there.root.getVertexByPath('written before')).toBeDefined()
  expect(wire.asked).toEqual(['space:join'])
  expect(there).toMatchObject({ name: 'Notes', role: 'owner' })
  const [listed] = await client.listSpaces()
  expect(listed).toMatchObject({ id: here.id, name: 'Notes', role: 'owner', synced: true })
  const summary = await client.call({ method: 'GET', path: `/api/spaces/${here.id}` }, spaceSchema)
  expect(listed?.createdAt).toEqual(new Date(summary.createdAt))
})

it('a device opens a space that it has in one request', async () => {
  const here = await shared()
  const { client, wire } = await device(anna)
  const before = await client.openSpace(here.id)
  await live(before)
  await before.close()
  await expect.poll(() => wire.asked).toEqual(['space:join', 'space:leave'])
  here.root.root!.newNamedChild('written meanwhile')
  await here.flushed()
  const again = await client.openSpace(here.id)
  await live(again)
  expect(again.root.getVertexByPath('written meanwhile')).toBeDefined()
  expect(wire.asked).toEqual(['space:join', 'space:leave', 'space:join'])
})

it('a space that is opened twice at the same time is one object', async () => {
  const here = await shared()
  const { client, wire } = await device(anna)
  const [one, other] = await Promise.all([client.openSpace(here.id), client.openSpace(here.id)])
  expect(one).toBe(other)
  await live(one)
  expect(new Set(wire.asked)).toEqual(new Set(['space:join']))
})

it('a device misses nothing that follows the join of a space that it did not know', async () => {
  const here = await shared()
  here.setPresence({ at: 'the top' })
  const { client } = await device(anna)
  const there = await client.openSpace(here.id)
  for (let edit = 0; edit < 20; edit++) {
    here.root.root!.newNamedChild(`written ${edit}`)
    await here.flushed()
  }
  await expect.poll(() => there.root.digest()).toBe(here.root.digest())
  expect(there.presence).toMatchObject([{ state: { at: 'the top' } }])
  there.root.root!.newNamedChild('from there')
  await there.flushed()
  await expect.poll(() => here.root.getVertexByPath('from there')).toBeDefined()
})

it('[JO2] [JO10] nothing is stored of a space that the user is not a member of, that is deleted, or that never was', async () => {
  const here = await shared()
  const storage = memoryStorage()
  const { client, wire } = await device(ben, { storage })
  const annas = (await device(anna)).client
  const gone = await annas.createSpace({ name: 'Gone' })
  await gone.flushed()
  await annas.deleteSpace(gone.id)
  for (const id of [here.id, gone.id, '00'.repeat(16)]) {
    await expect(client.openSpace(id)).rejects.toMatchObject({ code: 'not_found' })
    expect(await storage.getSyncState(id as typeof here.id)).toBeUndefined()
  }
  expect(wire.asked).toEqual(['space:join', 'space:join', 'space:join'])
  expect(await storage.listSpaces()).toEqual([])
})

it('[JO10] a server of an earlier version is asked over HTTP for what a space is, and says so once', async () => {
  const first = await shared('First')
  const second = await shared('Second')
  const { client, wire } = await device(anna)
  wire.describesNothing = true
  const there = await client.openSpace(first.id)
  await live(there)
  expect(there.name).toBe('First')
  const asksOverHttp = (id: string) => [`GET /api/spaces/${id}`, 'space:join']
  expect(wire.asked).toEqual(['space:join', 'space:leave', ...asksOverHttp(first.id)])
  wire.asked.length = 0
  await live(await client.openSpace(second.id))
  expect(wire.asked).toEqual(asksOverHttp(second.id))
})

it('[JO10] a space that cannot be joined now is opened, and is joined later', async () => {
  const here = await shared()
  const { client, wire } = await device(anna)
  wire.refuseJoins = { code: 'storage_failed', message: 'the storage of this space fails' }
  const there = await client.openSpace(here.id)
  expect(there.name).toBe('Notes')
  await expect.poll(() => there.status).toMatchObject({ error: { code: 'storage_failed' } })
  delete wire.refuseJoins
  await live(there)
})

it('a tab that does not hold the connection asks over HTTP', async () => {
  const here = await shared()
  const storage = memoryStorage()
  const tabs = createTabGroup()
  const { client: leader } = await device(anna, { storage, tabs: tabs.tab() })
  const other = await device(anna, { storage, tabs: tabs.tab() })
  const there = await other.client.openSpace(here.id)
  await live(there)
  expect(other.wire.asked).toEqual([`GET /api/spaces/${here.id}`])
  const beside = await leader.openSpace(here.id)
  await live(beside)
  expect(beside.root.digest()).toBe(here.root.digest())
})

it('a device without a connection says so, and keeps nothing of a space that it does not know', async () => {
  const here = await shared()
  const storage = memoryStorage()
  const { client } = await device(anna, { storage })
  await server[Symbol.asyncDispose]()
  await expect(client.openSpace(here.id)).rejects.toMatchObject({ code: 'unavailable' })
  expect(await storage.listSpaces()).toEqual([])
})

it('a space that could not be stored syncs once it is opened again', async () => {
  const here = await shared()
  const storage = memoryStorage()
  const putSpace = storage.putSpace.bind(storage)
  const forLeader = storage.forLeader.bind(storage)
  const full = Promise.withResolvers<never>()
  full.promise.catch(() => {})
  /** Nothing can be written, and what the tab that leads reads takes its time. */
  let isFull = false
  storage.putSpace = async (space) => (isFull ? full.promise : putSpace(space))
  storage.forLeader = () => {
    const ofLeader = forLeader()
    const getSpace = ofLeader.getSpace.bind(ofLeader)
    ofLeader.getSpace = async (id) => (isFull ? full.promise : getSpace(id))
    return ofLeader
  }
  const { client } = await device(anna, { storage })
  isFull = true
  const opening = client.openSpace(here.id)
  setTimeout(() => full.reject(new Error('the disk is full')), 100)
  await expect(opening).rejects.toThrow('the disk is full')
  isFull = false
  const there = await client.openSpace(here.id)
  await live(there)
  expect(there.root.getVertexByPath('written before')).toBeDefined()
})

it('a space stays joined that was asked for a second time of a server of an earlier version', async () => {
  const here = await shared()
  const { client, wire } = await device(anna)
  const held: (() => void)[] = []
  let joins = 0
  wire.describesNothing = true
  wire.holdJoin = (answer) => ++joins === 2 && held.push(answer) > 0
  const opening = [client.openSpace(here.id), client.openSpace(here.id)] as const
  const there = await opening[0]
  await live(there)
  expect(held).toHaveLength(1)
  held[0]!()
  expect(await opening[1]).toBe(there)
  await expect.poll(() => wire.asked.filter((name) => name === 'space:join').length).toBe(3)
  here.root.root!.newNamedChild('written later')
  await here.flushed()
  await expect.poll(() => there.root.getVertexByPath('written later')).toBeDefined()
})

it('a space is opened over HTTP by a tab that has lost the lead meanwhile', async () => {
  const here = await shared()
  const storage = memoryStorage()
  const forLeader = storage.forLeader.bind(storage)
  const slow = Promise.withResolvers<void>()
  let engines = 0
  storage.forLeader = () => {
    const ofLeader = forLeader()
    const listSpaces = ofLeader.listSpaces.bind(ofLeader)
    // The first one takes its time to end.
    if (++engines === 1) ofLeader.listSpaces = () => slow.promise.then(listSpaces)
    return ofLeader
  }
  const putSpace = storage.putSpace.bind(storage)
  storage.putSpace = async (space) => {
    await new Promise((resolve) => setTimeout(resolve, 100))
    await putSpace(space)
  }
  const tabs = createTabGroup()
  const { client, wire } = await device(anna, { storage, tabs: tabs.tab() })
  await wire.connected
  const successor = tabs.tab()
  await device(anna, { storage, tabs: successor })
  const joined = Promise.withResolvers<() => void>()
  wire.holdJoin = (answer) => {
    joined.resolve(answer)
    return true
  }
  const opening = client.openSpace(here.id)
  const answer = await joined.promise
  delete wire.holdJoin
  successor.takeLead()
  await expect.poll(() => engines).toBe(2)
  answer()
  const there = await opening
  slow.resolve()
  here.root.root!.newNamedChild('written later')
  await here.flushed()
  await expect.poll(() => there.root.getVertexByPath('written later')).toBeDefined()
  await live(there)
})

it('a space syncs whose tab has lost the lead while it was being stored', async () => {
  const here = await shared()
  const storage = memoryStorage()
  const putSpace = storage.putSpace.bind(storage)
  const [putting, disk] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  storage.putSpace = async (space) => {
    putting.resolve()
    await disk.promise
    await putSpace(space)
  }
  const tabs = createTabGroup()
  const { client, wire } = await device(anna, { storage, tabs: tabs.tab() })
  await wire.connected
  const successor = tabs.tab()
  const other = await device(anna, { storage, tabs: successor })
  const opening = client.openSpace(here.id)
  await putting.promise
  successor.takeLead()
  await other.wire.connected
  await new Promise((resolve) => setTimeout(resolve, 100))
  disk.resolve()
  const there = await opening
  await live(there)
  expect(there.root.getVertexByPath('written before')).toBeDefined()
})
