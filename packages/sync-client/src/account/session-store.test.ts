import { spaceIdSchema, userIdSchema } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { memoryStorage, type ClientStorage, type StoredSpace } from '../storage/index.ts'
import { createSessionStore } from './session-store.ts'
import { nobody } from './stored-session.ts'

const anna = { id: userIdSchema.parse('aa'.repeat(16)), email: 'anna@example.org', name: 'Anna' }
const server = 'https://sync.example/t69/'
const others = [
  'https://sync.example/',
  'https://sync.example/t69/x/',
  'http://sync.example/t69/',
  'https://evil.example/',
]
/** As the release before stored it: without saying whose it is. */
const earlier = { user: anna, lastUserId: anna.id, refreshToken: 'r1', owesSignOut: false, goneUserIds: [] }
const spaceId = spaceIdSchema.parse('5a'.repeat(16))

function spaceAt(uri: string): StoredSpace {
  return { id: spaceId, uri, name: 'Diary', createdAt: new Date(0), userId: anna.id }
}

function storeOf(storage: ClientStorage, address: string, pageOrigin: string | null = null) {
  return createSessionStore({ storage, server: address, pageOrigin })
}

describe('A stored session', () => {
  it('is that of the server that made it, beside those of others', async () => {
    const storage = memoryStorage()
    for (const [index, address] of [server, ...others].entries()) {
      const store = storeOf(storage, address)
      expect((await store.read()).user).toBeNull()
      await store.write({ ...nobody, user: anna, refreshToken: `r${index}` })
    }
    for (const [index, address] of [server, ...others].entries()) {
      expect(await storeOf(storage, address).read()).toMatchObject({
        refreshToken: `r${index}`,
        server: address,
      })
    }
  })

  it('of an earlier release goes to the server whose address the user’s spaces have, and to no other', async () => {
    const storage = memoryStorage()
    await storage.putConfig('syncSession', earlier)
    await storage.putSpace(spaceAt(`${server}spaces/${spaceId}`))
    for (const address of others) {
      const other = storeOf(storage, address, new URL(address).origin)
      expect((await other.read()).user).toBeNull()
      expect(other.isOurs(spaceAt(`${server}spaces/${spaceId}`))).toBe(false)
      await other.write({ ...nobody, user: anna, refreshToken: 'its own' })
    }
    const store = storeOf(storage, server)
    expect(await store.read()).toMatchObject({ user: anna, refreshToken: 'r1' })
    expect(store.isOurs(spaceAt(`${server}spaces/${spaceId}`))).toBe(true)
    // No server has it yet, so nothing but the id of its user says whose it is.
    expect(store.isOurs(spaceAt(`browser://${spaceId}`))).toBe(true)
    // A tab of that release may still be open: both go on with the same record.
    await store.write({ ...(await store.read()), refreshToken: 'r2' })
    expect(await storage.getConfig('syncSession')).toMatchObject({ user: anna, refreshToken: 'r2', server })
    expect(store.configKey('syncSpaces')).toBe('syncSpaces')
    await storage.putConfig('syncSession', { ...earlier, refreshToken: 'r3' })
    expect(await storeOf(storage, server).read()).toMatchObject({ refreshToken: 'r3' })
  })

  it('of an earlier release without a synced space goes to the server of the page', async () => {
    const storage = memoryStorage()
    await storage.putConfig('syncSession', earlier)
    await storage.putSpace({ ...spaceAt(`browser://${spaceId}`), userId: null })
    expect((await storeOf(storage, 'https://evil.example/', 'https://sync.example').read()).user).toBeNull()
    expect((await storeOf(storage, server).read()).user).toBeNull()
    expect((await storeOf(storage, server, 'https://sync.example').read()).user).toEqual(anna)
  })

  it('names the server of each space, whatever the address of a space says', async () => {
    const storage = memoryStorage()
    const store = storeOf(storage, server)
    await store.read()
    expect(store.isOurs({ ...spaceAt(`browser://${spaceId}`), server })).toBe(true)
    expect(store.isOurs({ ...spaceAt(`${server}spaces/${spaceId}`), server: 'https://evil.example/' })).toBe(
      false,
    )
    expect(store.configKey('syncSpaces')).toBe(`syncSpaces:${server}`)
  })
})
