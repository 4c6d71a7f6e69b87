import {
  createSyncClient,
  memoryStorage,
  type Space,
  type SpaceStatus,
  type SyncClient,
} from '@t69/sync-client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import { password, startLiveServer, type LiveServer, type Person } from '../lib/live-server.ts'

/** A space of somebody else under the id of one's own: real clients, over real sockets. */

let server: LiveServer
let eve: Person
const clients: SyncClient[] = []

beforeAll(async () => {
  server = await startLiveServer()
  eve = await server.signUp('Eve')
})
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
})
afterAll(() => server[Symbol.asyncDispose]())

function newClient(): SyncClient {
  const client = createSyncClient({ url: server.url, storage: memoryStorage() })
  clients.push(client)
  return client
}

let people = 0
const newAccount = () => ({ email: `anna${++people}@example.org`, password, name: 'Anna' })

async function until(space: Space, holds: (status: SpaceStatus) => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const look = (): void => void (holds(space.status) && resolve())
  const stop = space.onStatus(look)
  look()
  await promise
  stop()
}
const isOther = ({ phase, error }: SpaceStatus): boolean =>
  phase === 'blocked' && error?.code === 'other_space'

/** The ids of what Eve can read in the space of this id. */
async function readByEve(spaceId: string): Promise<string> {
  const { body } = await eve.call('GET', `/api/spaces/${spaceId}/trees/${spaceId}`)
  return JSON.stringify(body)
}

/** A local space of Anna's, whose id Eve knows from the address and has registered. */
async function takenOver() {
  const client = newClient()
  const space = await client.createSpace({ name: 'Diary' })
  space.root.root?.newNamedChild('secret')
  await space.stored()
  expect((await eve.call('POST', '/api/spaces', { id: space.id, name: 'Trap' })).status).toBe(201)
  await client.signUp(newAccount())
  return { client, space }
}

async function inviteToken(spaceId: string): Promise<string> {
  const { body } = await eve.call('POST', `/api/spaces/${spaceId}/invites`, { role: 'editor' })
  if (typeof body !== 'object' || body === null || !('token' in body)) throw new Error('no invite')
  return String(body.token)
}

describe('a space whose id somebody else has registered', () => {
  it('[SI4] sends nothing when it begins to sync, and says what is there', async () => {
    const { space } = await takenOver()
    await space.enableSync()
    await until(space, isOther)
    expect(await space.otherSpace()).toBeNull()
    expect(await readByEve(space.id)).not.toContain('secret')
  })

  it('[SI3] sends nothing to it after an invite to it either, and changes nothing there', async () => {
    const { client, space } = await takenOver()
    await expect(client.acceptInvite(await inviteToken(space.id))).rejects.toMatchObject({
      code: 'other_space',
      message: 'This device has another space, “Diary”, in the place of “Trap”',
    })
    await space.enableSync()
    await until(space, isOther)
    expect(await space.otherSpace()).toMatchObject({ name: 'Trap', role: 'editor' })
    expect(space.name).toBe('Diary')
    await expect(space.members()).rejects.toMatchObject({ code: 'other_space' })
    await expect(space.invite('editor')).rejects.toMatchObject({ code: 'other_space' })
    expect((await client.listSpaces()).map(({ name }) => name)).toEqual(['Diary'])
    await client.deleteSpace(space.id)
    expect((await eve.call('GET', `/api/spaces/${space.id}`)).status).toBe(200)
    expect(await readByEve(space.id)).not.toContain('secret')
  })

  it('[SI3] goes there when the user says so', async () => {
    const { client, space } = await takenOver()
    await client.acceptInvite(await inviteToken(space.id)).catch(() => {})
    await space.enableSync()
    await until(space, isOther)
    const other = await space.otherSpace()
    if (other === null) throw new Error('there is no other space')
    await space.sendToOtherSpace(other.identity)
    await space.flushed()
    expect(await readByEve(space.id)).toContain('secret')
    await expect(space.sendToOtherSpace(other.identity)).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('syncs as a copy under an id of its own', async () => {
    const { client, space } = await takenOver()
    await space.enableSync()
    await until(space, isOther)
    const copy = await client.copySpace(space.id, { name: 'Diary' })
    await copy.flushed()
    expect(copy.root.getVertexByPath('secret')).toBeDefined()
    expect(await readByEve(space.id)).not.toContain('secret')
    expect((await eve.call('GET', `/api/spaces/${copy.id}`)).outcome).toBe('404 not_found')
    const phone = newClient()
    await phone.signIn({ email: client.user?.email ?? '', password })
    const there = await phone.openSpace(copy.id)
    await until(there, ({ phase }) => phase === 'live')
    expect(there.root.digest()).toBe(copy.root.digest())
  })
})
