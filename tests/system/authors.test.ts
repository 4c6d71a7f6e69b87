import {
  encodeBatch,
  spaceIdSchema,
  treeIdSchema,
  treeOperationSchema,
  type JsonValue,
  type SpaceId,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'
import {
  createSyncClient,
  createTabGroup,
  memoryStorage,
  type Space,
  type SyncClient,
  type SyncError,
} from '@t69/sync-client'
import { afterEach, expect, it } from 'vitest'

import { password, startLiveServer, type LiveServer, type Person } from '../lib/live-server.ts'
import { connectRaw, type RawSocket } from '../lib/raw-socket.ts'

/** Who committed an operation, as clients learn it from a real server, and a member who writes in others' names. */

const clients: SyncClient[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
})

async function deviceOf(
  server: LiveServer,
  { user }: Person,
  { storage = memoryStorage(), tabs = createTabGroup() } = {},
): Promise<SyncClient> {
  const client = createSyncClient({ url: server.url, storage, session: 'storage', tabs: tabs.tab() })
  clients.push(client)
  await client.ready
  if (client.user === null) await client.signIn({ email: user.email, password })
  return client
}

async function join(owner: Space, person: Person): Promise<void> {
  const { token } = await owner.invite('editor')
  const { outcome } = await person.call('POST', `/api/invites/${token}/accept`, {})
  expect(outcome).toBe('200')
}

/** Who wrote a property of the space tree, as the space says. */
function writer(space: Space, vertexId: string, key: string): string | null {
  const op = space.root.writerOf(vertexId, key)
  if (op === undefined) return null
  return space.authorOf({ treeId: space.id, clock: op.counter, peerId: op.peerId })?.userId ?? null
}

/** Waits until a space shows a property, and returns who wrote it. */
async function writerOf(
  space: Space,
  vertexId: string,
  key: string,
  value: JsonValue,
): Promise<string | null> {
  await expect.poll(() => space.root.getVertexProperty(vertexId, key)).toBe(value)
  return writer(space, vertexId, key)
}

/** A socket of a member that says anything, also under the peer ids of others. */
async function forger(server: LiveServer, person: Person, spaceId: SpaceId) {
  const socket: RawSocket = await connectRaw(server.url, person.token)
  expect(await socket.outcomeOf('space:join', { spaceId })).toBe('ok')
  const push = async (...ops: TreeOperation[]): Promise<void> => {
    expect(await socket.outcomeOf('ops:push', { spaceId, batch: encodeBatch({ spaceId, ops }) })).toBe('ok')
  }
  const set = (peerId: string, clock: number, targetId: string, value: JsonValue): TreeOperation =>
    treeOperationSchema.parse({ clock, peerId, treeId: spaceId, spaceId, targetId, key: 'text', value })
  return { socket, push, set }
}

it('[CO6] everybody names the account that committed an operation, of one’s own too, and after a reload', async () => {
  await using server = await startLiveServer()
  const [anna, ben] = [await server.signUp('Anna'), await server.signUp('Ben')]
  const storage = memoryStorage()
  const tabs = createTabGroup()
  const laptop = await deviceOf(server, anna, { storage, tabs })
  const here = await laptop.createSpace({ name: 'Ours' })
  const message = here.root.root!.newNamedChild('message', { text: 'from Anna' })
  // Nobody has committed it yet.
  expect(writer(here, message.id, 'text')).toBe(null)
  const heard: TreeId[] = []
  here.onAuthors((treeId) => heard.push(treeId))
  await here.flushed()
  await expect.poll(() => writer(here, message.id, 'text')).toBe(anna.user.id)
  expect(new Set(heard)).toEqual(new Set([treeIdSchema.parse(here.id)]))

  await join(here, ben)
  const second = await (await deviceOf(server, anna, { storage, tabs })).openSpace(here.id)
  const there = await (await deviceOf(server, ben)).openSpace(here.id)
  await there.loaded()
  expect(await writerOf(there, message.id, 'text', 'from Anna')).toBe(anna.user.id)
  there.root.getVertex(message.id)!.setProperty('text', 'from Ben')
  expect(await writerOf(here, message.id, 'text', 'from Ben')).toBe(ben.user.id)
  expect(await writerOf(second, message.id, 'text', 'from Ben')).toBe(ben.user.id)

  await Promise.all(clients.splice(0).map((client) => client.close()))
  const again = await (await deviceOf(server, anna, { storage })).openSpace(here.id)
  expect(writer(again, message.id, 'text')).toBe(ben.user.id)
  expect(writer(again, message.id, 'name')).toBe(anna.user.id)
})

it('[CO6] what a member writes under another’s peer id, and clocks that it left out, is the member’s', async () => {
  await using server = await startLiveServer()
  const [anna, eve] = [await server.signUp('Anna'), await server.signUp('Eve')]
  const laptop = await deviceOf(server, anna)
  const here = await laptop.createSpace({ name: 'Ours' })
  const message = here.root.root!.newNamedChild('message', { text: 'from Anna' })
  await here.flushed()
  await join(here, eve)
  const { counter, peerId } = here.root.writerOf(message.id, 'text')!
  const { socket, push, set } = await forger(server, eve, spaceIdSchema.parse(here.id))
  using _ = socket
  await push(set(peerId, counter + 1_000, message.id, 'from Eve, as Anna'))
  expect(await writerOf(here, message.id, 'text', 'from Eve, as Anna')).toBe(eve.user.id)
  // Anna's own page goes on under that peer id.
  message.setProperty('text', 'from Anna again')
  await here.flushed()
  await expect.poll(() => writer(here, message.id, 'text')).toBe(anna.user.id)
  await push(set(peerId, counter + 500, message.id, 'in between'))
  const there = await (await deviceOf(server, anna)).openSpace(here.id)
  for (const space of [here, there]) {
    expect(await writerOf(space, message.id, 'text', 'from Anna again')).toBe(anna.user.id)
    const by = (clock: number) => space.authorOf({ treeId: here.id, clock, peerId })?.userId
    await expect.poll(() => by(counter + 500)).toBe(eve.user.id)
    expect([by(counter), by(counter + 1_000)]).toEqual([anna.user.id, eve.user.id])
  }
})

it('[CO5] what was written signed out is by the account that synced it first, also once that is deleted', async () => {
  await using server = await startLiveServer()
  const [anna, ben] = [await server.signUp('Anna'), await server.signUp('Ben')]
  const storage = memoryStorage()
  const laptop = createSyncClient({ url: server.url, storage, session: 'storage' })
  clients.push(laptop)
  const here = await laptop.createSpace({ name: 'Ours' })
  const message = here.root.root!.newNamedChild('message', { text: 'signed out' })
  await laptop.signIn({ email: ben.user.email, password })
  await here.enableSync()
  await here.flushed()
  await expect.poll(() => writer(here, message.id, 'text')).toBe(ben.user.id)
  await join(here, anna)
  const members = await here.members()
  expect(members).toHaveLength(2)
  await here.changeRole(anna.user.id, 'owner')
  await laptop.deleteAccount({ password })
  const there = await (await deviceOf(server, anna)).openSpace(here.id)
  expect(await writerOf(there, message.id, 'text', 'signed out')).toBe(ben.user.id)
})

it('says whose connection shows a transient value over what somebody else wrote', async () => {
  await using server = await startLiveServer()
  const [anna, eve] = [await server.signUp('Anna'), await server.signUp('Eve')]
  const here = await (await deviceOf(server, anna)).createSpace({ name: 'Ours' })
  const message = here.root.root!.newNamedChild('message', { text: 'from Anna' })
  await here.flushed()
  await join(here, eve)
  const { socket } = await forger(server, eve, spaceIdSchema.parse(here.id))
  using _ = socket
  const place = { treeId: here.id, vertexId: message.id, key: 'text' }
  expect(here.transientBy(place)).toBe(null)
  const show = (value: string) =>
    socket.io.emit('ops:transient', {
      spaceId: here.id,
      changes: [{ treeId: here.id, targetId: message.id, key: 'text', value }],
    })
  show('hidden')
  await expect.poll(() => here.root.getVertexProperty(message.id, 'text')).toBe('hidden')
  expect(here.transientBy(place)).toMatchObject({ user: null })
  const present = new Promise<void>((resolve) => void here.onPresence(() => resolve()))
  socket.io.emit('presence:set', { spaceId: here.id, state: 'here' })
  await present
  show('shown')
  await expect.poll(() => here.root.getVertexProperty(message.id, 'text')).toBe('shown')
  expect(here.transientBy(place)).toMatchObject({ user: { id: eve.user.id } })
  expect(here.transientBy({ ...place, treeId: 'not an id!' })).toBe(null)
})

it('a space can be read as it was at any position of its log, with who committed what is there', async () => {
  await using server = await startLiveServer()
  const [anna, ben] = [await server.signUp('Anna'), await server.signUp('Ben')]
  const annas = await (await deviceOf(server, anna)).createSpace({ name: 'Club' })
  const root = await annas.loaded()
  const note = root.newNamedChild('note')
  await annas.flushed()
  const begun = annas.status.head
  note.setProperty('text', 'from Anna')
  await annas.flushed()
  await join(annas, ben)
  const bens = await (await deviceOf(server, ben)).openSpace(annas.id)
  await writerOf(bens, note.id, 'text', 'from Anna')
  bens.root.getVertex(note.id)?.setProperty('text', 'from Ben')
  await bens.flushed()
  bens.root.getVertex(note.id)?.delete()
  await bens.flushed()
  const { head } = bens.status

  const shown = async (seq: number) => {
    const { vertices, commit } = await annas.at(seq)
    return [vertices.find(({ id }) => id === note.id)?.properties['text'], commit?.userId]
  }
  expect(await shown(begun)).toEqual([undefined, anna.user.id])
  expect(await shown(begun + 1)).toEqual(['from Anna', anna.user.id])
  expect(await shown(begun + 2)).toEqual(['from Ben', ben.user.id])
  expect((await annas.at(begun + 2)).vertices.map(({ id }) => id)).toEqual([root.id, note.id])
  expect((await annas.at(head)).vertices.map(({ id }) => id)).toEqual([root.id])

  const refusal = (asked: Promise<unknown>) => asked.catch((error: unknown) => (error as SyncError).body)
  expect(await refusal(annas.at(head + 1))).toMatchObject({ code: 'invalid_request', at: 'at' })
  expect(await refusal(annas.at(1.5))).toMatchObject({ code: 'invalid_request', at: 'seq' })
  expect(await refusal(annas.at(head, { treeId: 'nothing' }))).toMatchObject({ code: 'not_found' })
  expect(await refusal(annas.at(head, { treeId: 'a/../b' }))).toMatchObject({ code: 'invalid_request' })
})
