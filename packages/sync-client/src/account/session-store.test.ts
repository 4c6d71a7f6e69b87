import { spaceIdSchema, userIdSchema } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { memoryStorage, type ClientStorage, type StoredSpace } from '../storage/index.ts'
import { createSessionNote, noSessionNote } from './session-note.ts'
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

function storeOf(
  storage: ClientStorage,
  address: string,
  pageOrigin: string | null = null,
  note = noSessionNote,
) {
  return createSessionStore({ storage, note, server: address, pageOrigin })
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

describe('A session that is noted', () => {
  const signedIn = { ...nobody, user: anna, lastUserId: anna.id, server }

  function device() {
    const notes = new Map<string, string>()
    const note = createSessionNote(
      {
        getItem: (key) => notes.get(key) ?? null,
        setItem: (key, text) => void notes.set(key, text),
        removeItem: (key) => void notes.delete(key),
      },
      'session',
    )
    return { notes, note, openOn: (storage: ClientStorage) => storeOf(storage, server, null, note) }
  }

  it('outlives a database that the browser has lost, without a token, and says so once', async () => {
    const { notes, openOn } = device()
    await openOn(memoryStorage()).write({ ...signedIn, refreshToken: 'secret' })
    expect(Array.from(notes.values()).join()).not.toContain('secret')
    const emptied = memoryStorage()
    const store = openOn(emptied)
    expect(await store.read()).toEqual(signedIn)
    expect(store.wasLost).toBe(true)
    const next = openOn(emptied)
    expect(await next.read()).toEqual(signedIn)
    expect(next.wasLost).toBe(false)
  })

  it('of an earlier release is noted when it is read', async () => {
    const { openOn } = device()
    const storage = memoryStorage()
    await storeOf(storage, server).write(signedIn)
    await openOn(storage).read()
    expect((await openOn(memoryStorage()).read()).user).toEqual(anna)
  })

  it('is not there for whoever has signed out, but a sign-out that was not reported is', async () => {
    const { notes, openOn } = device()
    const storage = memoryStorage()
    const store = openOn(storage)
    await store.write(signedIn)
    await store.write({ ...nobody, owesSignOut: true })
    expect(await openOn(memoryStorage()).read()).toMatchObject({ user: null, owesSignOut: true })
    await store.write(nobody)
    expect(notes.size).toBe(0)
    const later = openOn(memoryStorage())
    expect(await later.read()).toEqual(nobody)
    expect(later.wasLost).toBe(false)
  })

  it('goes when its place cannot be taken by the next: nobody is signed in who was before', async () => {
    const { notes, openOn } = device()
    await openOn(memoryStorage()).write(signedIn)
    const full = createSessionNote(
      {
        getItem: (key) => notes.get(key) ?? null,
        setItem: () => {
          throw new Error('full')
        },
        removeItem: (key) => void notes.delete(key),
      },
      'session',
    )
    const bert = { ...anna, id: userIdSchema.parse('bb'.repeat(16)) }
    await storeOf(memoryStorage(), server, null, full).write({ ...signedIn, user: bert, lastUserId: bert.id })
    expect(await openOn(memoryStorage()).read()).toEqual(nobody)
  })

  it('survives a full disk, and a note that is not one is none', async () => {
    const { notes, note, openOn } = device()
    note.write(signedIn)
    const storage = memoryStorage()
    const full = { ...storeStorage(storage), putConfig: () => Promise.reject(new Error('full')) }
    const store = createSessionStore({ storage: full, note, server, pageOrigin: null })
    expect((await store.read()).user).toEqual(anna)
    notes.set('session', '{"user":')
    expect(await openOn(memoryStorage()).read()).toEqual(nobody)
  })
})

function storeStorage(storage: ClientStorage) {
  return {
    getConfig: (key: string) => storage.getConfig(key),
    listSpaces: () => storage.listSpaces(),
  }
}
