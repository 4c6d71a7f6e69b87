import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createSyncClient, memoryStorage, type Runtime, type Space, type SyncClient } from '@t69/sync-client'
import { expect, it } from 'vitest'

import { startServer, type ServerProcess } from '../lib/server-process.ts'
import { agreed, childNames, hastyRuntime, live, roomyLimits, until } from './fleet.ts'
import { backUp } from './space-file.ts'

/** Asks a server that has lost a space again within a second, where real devices wait for a minute. */
const runtime: Runtime = {
  ...hastyRuntime,
  setTimer: (callback, delayMs) => hastyRuntime.setTimer(callback, delayMs >= 60_000 ? 500 : delayMs),
}

const password = 'correct horse battery'
const credentials = (name: string) => ({ email: `${name}@example.org`, password, name })

/** Two people's clients. Ben's account is made by `signUp`, before or after the copy. */
async function createPeople(server: ServerProcess) {
  const clients = [1, 2].map(() => createSyncClient({ url: server.url, storage: memoryStorage(), runtime }))
  const [anna, ben] = clients
  if (anna === undefined || ben === undefined) throw new Error('there should be two clients')
  await anna.signUp(credentials('anna'))
  return {
    anna,
    ben,
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()))
    },
  }
}

/** Stops the server, restores `platform.sqlite` from a copy, and starts it again. */
async function restoreAccounts(server: ServerProcess, copy: string): Promise<void> {
  await server.kill()
  for (const suffix of ['', '-wal', '-shm'])
    await rm(join(server.dataDir, `platform.sqlite${suffix}`), { force: true })
  await cp(copy, join(server.dataDir, 'platform.sqlite'))
  await server.start()
}

async function share(space: Space, guest: SyncClient): Promise<Space> {
  await space.flushed()
  await guest.acceptInvite((await space.invite('editor')).token)
  const shared = await guest.openSpace(space.id)
  await live(shared)
  return shared
}

it('[SI10] spaces and accounts that are younger than the restored accounts come back with their members', async () => {
  const folder = await mkdtemp(join(tmpdir(), 't69-accounts-'))
  const copy = join(folder, 'platform.sqlite')
  await using server = await startServer({ env: roomyLimits })
  await using people = await createPeople(server)
  const { anna, ben } = people
  try {
    backUp(join(server.dataDir, 'platform.sqlite'), copy)
    // After the copy: Ben's account, a space of Anna's with Ben in it, one of Ben's own, and one that is closed again.
    const benId = (await ben.signUp(credentials('ben'))).id
    const shared = await anna.createSpace({ name: 'Shared' })
    const ofBen = await share(shared, ben)
    const own = await ben.createSpace({ name: 'Diary' })
    const closed = await anna.createSpace({ name: 'Closed' })
    for (const space of [shared, own, closed]) {
      space.root.root?.newNamedChild('acked')
      await space.flushed()
    }
    await Promise.all([shared, own, closed].map(live))
    await closed.close()

    await restoreAccounts(server, copy)
    shared.root.root?.newNamedChild('of Anna')
    await shared.flushed()
    expect(ofBen.status.phase).not.toBe('live')
    // The server knows neither his session nor his account.
    await expect(ben.signIn(credentials('ben'))).rejects.toMatchObject({ code: 'wrong_credentials' })
    expect((await ben.signUp(credentials('ben'))).id).toBe(benId)
    // They were locked when his session ended, and open again, since their user is back.
    for (const space of [ofBen, own]) expect(await ben.openSpace(space.id)).toBe(space)
    ofBen.root.root?.newNamedChild('of Ben')
    own.root.root?.newNamedChild('later')
    await Promise.all([ofBen.flushed(), own.flushed()])

    await agreed([shared, ofBen])
    expect(childNames(shared).toSorted()).toEqual(['acked', 'of Anna', 'of Ben'])
    expect(childNames(own)).toEqual(['acked', 'later'])
    const roles = (await shared.members()).map(({ user, role }) => `${user.name} ${role}`)
    expect(roles.toSorted()).toEqual(['anna owner', 'ben editor'])
    // Nobody has it open: its owner's device has brought it back all the same.
    const names = async () => (await anna.listSpaces()).map(({ name, role }) => `${name} ${role}`)
    await expect.poll(names).toEqual(['Shared owner', 'Closed owner'])
    expect((await ben.listSpaces()).map(({ name, role }) => `${name} ${role}`).toSorted()).toEqual([
      'Diary owner',
      'Shared editor',
    ])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

it('[SI3] a removed member who registers the id of a space that the accounts lost gets nothing, and the owner is asked', async () => {
  const folder = await mkdtemp(join(tmpdir(), 't69-accounts-'))
  const copy = join(folder, 'platform.sqlite')
  await using server = await startServer({ env: roomyLimits })
  await using people = await createPeople(server)
  const { anna, ben } = people
  try {
    const benId = (await ben.signUp(credentials('ben'))).id
    backUp(join(server.dataDir, 'platform.sqlite'), copy)
    const space = await anna.createSpace({ name: 'Plans' })
    await share(space, ben)
    await space.removeMember(benId)
    space.root.root?.newNamedChild('secret')
    await space.flushed()
    await live(space)
    await space.close()

    // While Anna is away, Ben registers the id, and invites her.
    await anna.signOut()
    await restoreAccounts(server, copy)
    const attacker = await signedIn(server, 'ben')
    expect((await attacker('POST', '/api/spaces', { id: space.id, name: 'Mine' })).status).toBe(201)
    const { token } = JSON.parse(
      await (await attacker('POST', `/api/spaces/${space.id}/invites`, { role: 'editor' })).text(),
    ) as { token: string }
    await anna.signIn(credentials('anna'))
    await expect(anna.acceptInvite(token)).rejects.toMatchObject({ code: 'other_space' })
    const again = await anna.openSpace(space.id)
    await until(again, ({ phase, error }) => phase === 'blocked' && error?.code === 'other_space')
    expect(await again.otherSpace()).toMatchObject({ name: 'Mine' })
    expect(again.name).toBe('Plans')
    again.root.root?.newNamedChild('another secret')
    await again.stored()

    const tree = await attacker('GET', `/api/spaces/${space.id}/trees/${space.id}`)
    expect(tree.status).toBe(404)
    const kept = await anna.copySpace(space.id, { name: 'Plans' })
    await kept.flushed()
    expect(childNames(kept)).toEqual(['secret', 'another secret'])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

/** Calls the server in the name of somebody, past their client. */
async function signedIn(server: ServerProcess, name: string) {
  const call = (token: string | null, method: string, path: string, body?: object): Promise<Response> =>
    fetch(new URL(path, server.url), {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== null && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  const { email } = credentials(name)
  const session = await (await call(null, 'POST', '/api/auth/login', { email, password })).text()
  const { accessToken } = JSON.parse(session) as { accessToken: string }
  return (method: string, path: string, body?: object) => call(accessToken, method, path, body)
}
