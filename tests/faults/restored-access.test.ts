import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import type { SpaceId } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { type ServerProcess, startServer } from '../lib/server-process.ts'
import { roomyLimits } from './fleet.ts'
import { createDevice, type Device } from './returning-device.ts'

type Restore = (dataDir: string, copy: string) => Promise<void>

const restoreAccounts: Restore = async (dataDir, copy) => {
  for (const suffix of ['-wal', '-shm']) await rm(join(dataDir, `platform.sqlite${suffix}`), { force: true })
  await cp(join(copy, 'platform.sqlite'), join(dataDir, 'platform.sqlite'))
}

/** Which part of the data directory is put back as it was when the copy was made. */
const restores: [what: string, restore: Restore][] = [
  [
    'everything',
    async (dataDir, copy) => {
      await rm(dataDir, { recursive: true })
      await cp(copy, dataDir, { recursive: true })
    },
  ],
  ['only the accounts', restoreAccounts],
  [
    'only the spaces',
    async (dataDir, copy) => {
      for (const folder of await foldersOfSpaces(dataDir)) {
        await rm(join(dataDir, folder), { recursive: true })
      }
      for (const folder of await foldersOfSpaces(copy)) {
        await cp(join(copy, folder), join(dataDir, folder), { recursive: true })
      }
    },
  ],
]

async function foldersOfSpaces(dataDir: string): Promise<string[]> {
  return (await readdir(dataDir)).filter((name) => /^[0-9a-f]{2}$/.test(name))
}

interface Scene extends AsyncDisposable {
  readonly server: ServerProcess
  readonly devices: Readonly<Record<'Anna' | 'Ben' | 'Cleo' | 'Mallory' | 'Eve', Device>>
  /** Shared by all. Mallory was removed from it, and Ben renamed it, after the copy. */
  readonly shared: SpaceId
  readonly deleted: SpaceId
  /** A link to the shared space that was withdrawn, by the removal, after the copy. */
  readonly link: string
}

/** An hour of work after a copy was made; then the server is restored from it. */
async function restored(restore: Restore): Promise<Scene> {
  const copy = await mkdtemp(join(tmpdir(), 't69-copy-'))
  const server = await startServer({ env: roomyLimits })
  const device = (name: string) => createDevice(server.url, name)
  const [Anna, Ben, Mallory] = [await device('Anna'), await device('Ben'), await device('Mallory')]
  // Mallory's second account, which is in no space.
  const Eve = await device('Eve')
  const shared = await Anna.create('Shared')
  const deleted = await Anna.create('Deleted')
  const link = await Anna.invite(shared)
  for (const each of [Ben, Mallory]) await each.accept(link)
  await Anna.call('PATCH', `/api/spaces/${shared}/members/${Mallory.userId}`, { role: 'owner' })
  await Anna.write(shared, 'text of Anna from before the copy')
  await server.stop()
  await cp(server.dataDir, copy, { recursive: true })
  await server.start()

  for (const each of [Anna, Ben, Mallory]) await each.comeBack()
  await Anna.call('PATCH', `/api/spaces/${shared}/members/${Ben.userId}`, { role: 'editor' })
  const Cleo = await device('Cleo')
  await Cleo.accept(await Anna.invite(shared))
  await Anna.call('PATCH', `/api/spaces/${shared}/members/${Cleo.userId}`, { role: 'editor' })
  await Anna.call('DELETE', `/api/spaces/${shared}/members/${Mallory.userId}`)
  await Ben.rename(shared, 'Renamed')
  await Ben.comeBack()
  await Cleo.comeBack()
  await Anna.write(shared, 'secret of Anna')
  await Ben.write(shared, 'secret of Ben')
  await Cleo.write(shared, 'secret of Cleo')
  const later = await Anna.create('Later')
  await Anna.write(later, 'later text of Anna')
  await Anna.rename(later, 'Latest')
  const own = await Cleo.create('Own')
  await Cleo.write(own, 'own text of Cleo')
  await Anna.call('DELETE', `/api/spaces/${deleted}`)
  const devices = { Anna, Ben, Cleo, Mallory, Eve }
  for (const each of Object.values(devices)) await each.comeBack()
  for (const each of Object.values(devices)) each.disconnect()

  await server.kill()
  await restore(server.dataDir, copy)
  await server.start()
  return {
    server,
    devices,
    shared,
    deleted,
    link,
    async [Symbol.asyncDispose]() {
      for (const each of Object.values(devices)) each.disconnect()
      await server[Symbol.asyncDispose]()
      await rm(copy, { recursive: true, force: true })
    },
  }
}

const orders = [
  ['Anna', 'Ben', 'Cleo'],
  ['Cleo', 'Ben', 'Anna'],
  ['Ben', 'Anna', 'Cleo'],
] as const

describe.concurrent.each(restores)('after %s was restored from an older copy', (what, restore) => {
  it.each(orders)(
    '[SI6] [SI7] [SI9] [SI12] every device ends as it was, and a removed member gets nothing: %s, %s, %s',
    async (...order) => {
      await using scene = await restored(restore)
      const { devices, shared, deleted, link } = scene
      const { Anna, Ben, Cleo, Mallory, Eve } = devices
      const theirs = [...Mallory.sent]
      // Mallory is first, stays in the space as long as possible, and tries everything between any two others.
      const tries: string[] = []
      const mischief = async (): Promise<void> => {
        tries.push(await Mallory.tryToRead(shared))
        await Mallory.call('POST', `/api/invites/${link}/accept`)
        tries.push(await Mallory.tryToRead(shared))
        await Mallory.call('POST', `/api/spaces/${shared}/invites`, { role: 'editor' })
        await Mallory.call('PATCH', `/api/spaces/${shared}`, { name: 'Mine' })
        await Eve.call('POST', `/api/invites/${link}/accept`)
        tries.push(await Eve.tryToRead(shared))
      }
      await Mallory.comeBack()
      await Eve.comeBack()
      await mischief()
      for (const name of order) {
        await devices[name].comeBack()
        await mischief()
      }
      // Whoever came before the others had lost accounts and spaces: the second time everything is there.
      for (const name of order) await devices[name].comeBack()
      await mischief()

      expect([...Mallory.sent]).toEqual(theirs)
      for (const text of Eve.sent) expect(text).not.toContain('secret')
      // What only the devices know takes one of them to be known again.
      expect(new Set(tries.slice(what === 'everything' ? 3 : 0))).toEqual(new Set(['not_found']))
      expect([await Mallory.list(), await Eve.list()]).toEqual([[], []])
      const members = await Anna.call('GET', `/api/spaces/${shared}/members`)
      expect(members.body).toMatchObject({
        members: [
          { user: { id: Anna.userId, name: 'Anna' }, role: 'owner' },
          { user: { id: Ben.userId, name: 'Ben' }, role: 'editor' },
          { user: { id: Cleo.userId, name: 'Cleo' }, role: 'editor' },
        ],
        absent: [],
      })
      expect(await Ben.list()).toEqual(['Renamed editor'])
      expect(await Cleo.list()).toEqual(['Own owner', 'Renamed editor'])
      // A copy of everything is from before the deletion, too.
      const list = ['Latest owner', 'Renamed owner']
      expect(await Anna.list()).toEqual(what === 'everything' ? ['Deleted owner', ...list] : list)
      const again = { id: deleted, name: 'Mine', seal: undefined }
      expect((await Mallory.call('POST', '/api/spaces', again)).outcome).toBe('409 already_exists')
      for (const [reader, writers] of [
        [Anna, ['secret of Ben', 'secret of Cleo', 'later text of Anna']],
        [Ben, ['secret of Anna', 'secret of Cleo']],
        [Cleo, ['secret of Anna', 'secret of Ben', 'own text of Cleo']],
      ] as const) {
        const fresh = new Set<string>()
        for (const { ops } of reader.spaces.values()) {
          for (const { value } of ops.values()) if (typeof value === 'string') fresh.add(value)
        }
        for (const text of writers) expect([...fresh]).toContain(text)
      }
    },
  )
})

it.concurrent('[SI7] an owner who was removed after the copy of the accounts deletes nothing, though nobody has opened the space', async () => {
  await using scene = await restored(restoreAccounts)
  const { devices, shared } = scene
  const { Anna, Mallory } = devices
  await Mallory.signIn()
  for (const [method, path] of [
    ['DELETE', ''],
    ['DELETE', `/members/${Anna.userId}`],
    ['POST', '/invites'],
    ['GET', '/members'],
  ] as const) {
    const body = method === 'POST' ? { role: 'editor' } : undefined
    expect((await Mallory.call(method, `/api/spaces/${shared}${path}`, body)).outcome).toBe('404 not_found')
  }
})

it.concurrent('[SI7] after a restore of the accounts, nobody lists a space that they were removed from, or that was deleted', async () => {
  await using scene = await restored(restoreAccounts)
  const { server, devices } = scene
  const { Anna, Mallory } = devices
  await Mallory.signIn()
  expect(await Mallory.list()).toEqual([])
  await Anna.signIn()
  expect(await Anna.list()).toEqual(['Renamed owner'])
  // The logs of listed spaces were asked once, for good.
  const db = new DatabaseSync(join(server.dataDir, 'platform.sqlite'), { readOnly: true })
  const unasked = db.prepare('select id from spaces where asked_in <> (select name from accounts_history)')
  expect(unasked.all()).toEqual([])
  db.close()
})

const stranger = { email: 'stranger@example.org', password: 'correct horse battery', name: 'Stranger' }

it.concurrent.each([
  ['shows nobody the space', () => '/api/invites/preview', (token: string) => ({ token })],
  ['signs nobody up', () => '/api/auth/register', (token: string) => ({ ...stranger, invite: token })],
  ['admits nobody', (token: string) => `/api/invites/${token}/accept`, () => ({})],
])(
  '[SI7] a link that a removal withdrew after the copy of the accounts %s, though nobody has opened the space',
  async (_, path, body) => {
    await using scene = await restored(restoreAccounts)
    const { server, devices, link } = scene
    await server.stop()
    await server.start({ REGISTRATION: 'invite' })
    await devices.Eve.signIn()
    const { outcome } = await devices.Eve.call('POST', path(link), body(link))
    expect(outcome).toBe('410 invite_expired')
  },
)
