import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createSyncClient, memoryStorage, type Space } from '@t69/sync-client'
import { describe, expect, it } from 'vitest'

import { createNetworkLink } from '../lib/network-link.ts'
import { type ServerProcess, startServer } from '../lib/server-process.ts'
import {
  agreed,
  anna,
  childNames,
  createFleet,
  hastyRuntime,
  live,
  roomyLimits,
  serverTree,
  until,
} from './fleet.ts'
import { backUp, readOps, spaceFile } from './space-file.ts'

// Access tokens last seconds, so that a client that comes back has to renew a session of which the copy has an older state.
const env = { ...roomyLimits, ACCESS_TOKEN_TTL: '2s' }

interface Story {
  /** Makes the copy while the server runs. */
  readonly copy: (server: ServerProcess, spaceId: string, to: string) => Promise<void>
  /** Restores the copy while the server is stopped. */
  readonly restore: (server: ServerProcess, spaceId: string, from: string) => Promise<void>
  /** The number of names that the server still has after the restore. */
  readonly left: (spaceId: string, server: ServerProcess) => number
}

/** Copies the platform database and the secret that signs sessions, as an operator does. */
async function copyPlatform(dataDir: string, to: string): Promise<void> {
  backUp(join(dataDir, 'platform.sqlite'), join(to, 'platform.sqlite'))
  await cp(join(dataDir, 'signing-secret'), join(to, 'signing-secret'))
}

/** Replaces everything with the copy. */
async function replaceAll(dataDir: string, from: string): Promise<void> {
  await rm(dataDir, { recursive: true })
  await cp(from, dataDir, { recursive: true })
}

const stories: [name: string, story: Story][] = [
  [
    'one space was restored from an older copy',
    {
      copy: async (server, spaceId, to) => backUp(spaceFile(server.dataDir, spaceId), join(to, 'space')),
      restore: (server, spaceId, from) => cp(join(from, 'space'), spaceFile(server.dataDir, spaceId)),
      left: (spaceId, server) => readOps(spaceFile(server.dataDir, spaceId)).count,
    },
  ],
  [
    'everything was restored from an older copy, accounts and sessions too',
    {
      copy: async (server, _, to) => {
        // The other way to make a backup: stop, copy, start.
        await server.stop()
        await cp(server.dataDir, to, { recursive: true })
        await server.start()
      },
      restore: (server, _, from) => replaceAll(server.dataDir, from),
      left: (spaceId, server) => readOps(spaceFile(server.dataDir, spaceId)).count,
    },
  ],
  [
    'everything was wiped, and only the accounts restored',
    {
      copy: (server, _, to) => copyPlatform(server.dataDir, to),
      restore: (server, _, from) => replaceAll(server.dataDir, from),
      left: () => 0,
    },
  ],
]

describe('after a server lost history', () => {
  it.each(stories)(
    '[CL5] the devices send the server everything it lacks, without anyone doing anything: %s',
    async (_, story) => {
      const backup = await mkdtemp(join(tmpdir(), 't69-backup-'))
      await using server = await startServer({ env })
      await using fleet = await createFleet(server.url)
      const links = await Promise.all([1, 2, 3].map(() => createNetworkLink(server.url)))
      try {
        const clients = await Promise.all(links.map((link) => fleet.device(link.url)))
        const [one, two, three] = clients
        if (one === undefined || two === undefined || three === undefined)
          throw new Error('there should be three clients')
        const { id } = await one.createSpace({ name: 'Notes' })
        const first = await one.openSpace(id)
        await first.flushed()
        const [second, third] = [await two.openSpace(id), await three.openSpace(id)]
        const spaces = [first, second, third]
        await Promise.all(spaces.map(live))
        const edit = async (space: Space, ...names: string[]): Promise<void> => {
          for (const name of names) space.root.root?.newNamedChild(name)
          await space.flushed()
        }
        await edit(first, 'before the copy')
        await agreed(spaces)
        await story.copy(server, id, backup)

        // The third is away already: it has nothing that the copy lacks.
        await Promise.all(spaces.map(live))
        links[2]?.cut()
        await until(third, ({ phase }) => phase === 'offline')
        for (let round = 0; round < 2; round++) {
          await edit(first, `acked of the first, ${round}`)
          await edit(second, `acked of the second, ${round}`)
          // The session is renewed past the state that the copy has of it.
          await fleet.nextRefresh()
        }
        for (const link of links) link.cut()
        await Promise.all(spaces.map((space) => until(space, ({ phase }) => phase === 'offline')))
        const full = fleet.acked.size
        first.root.root?.newNamedChild('offline, of the first')
        third.root.root?.newNamedChild('offline, of the third')

        await server.kill()
        for (const suffix of ['-wal', '-shm'])
          await rm(spaceFile(server.dataDir, id) + suffix, { force: true })
        await story.restore(server, id, backup)
        const left = story.left(id, server)
        expect(left).toBeLessThan(full)
        await server.start()
        for (const link of links.toReversed()) link.restore()

        const digest = await agreed(spaces)
        const expected = [
          'before the copy',
          ...[0, 1].flatMap((round) => [`acked of the first, ${round}`, `acked of the second, ${round}`]),
          'offline, of the first',
          'offline, of the third',
        ]
        for (const space of spaces) expect(childNames(space).toSorted()).toEqual(expected.toSorted())
        const { contents } = readOps(spaceFile(server.dataDir, id))
        for (const op of fleet.acked.values())
          expect(contents.has(`${op.treeId} ${op.clock} ${op.peerId}`)).toBe(true)
        expect((await serverTree(server.url, await fleet.token(), id)).digest).toBe(digest)
        for (const client of clients) expect(client.user).toMatchObject({ name: 'Anna' })
      } finally {
        for (const link of links) await link[Symbol.asyncDispose]()
        await rm(backup, { recursive: true, force: true })
      }
    },
  )

  it('[CL5] a viewer whose device returns first has nothing that waits, and an editor’s device brings everything back', async () => {
    const backup = await mkdtemp(join(tmpdir(), 't69-backup-'))
    await using server = await startServer({ env })
    await using fleet = await createFleet(server.url)
    await using links = new AsyncDisposableStack()
    const [ofOwner, ofViewer] = [
      links.use(await createNetworkLink(server.url)),
      links.use(await createNetworkLink(server.url)),
    ]
    const storage = memoryStorage()
    await using viewer = createSyncClient({ url: ofViewer.url, storage, runtime: hastyRuntime })
    try {
      const owner = await fleet.device(ofOwner.url)
      await viewer.signUp({ ...anna, email: 'ben@example.org', name: 'Ben' })
      const space = await owner.createSpace({ name: 'Notes' })
      await space.flushed()
      await viewer.acceptInvite((await space.invite('viewer')).token)
      const shown = await viewer.openSpace(space.id)
      await Promise.all([space, shown].map(live))
      backUp(spaceFile(server.dataDir, space.id), join(backup, 'space.db'))
      space.root.root?.newNamedChild('after the copy')
      await agreed([space, shown])

      for (const link of [ofOwner, ofViewer]) link.cut()
      await server.kill()
      for (const suffix of ['', '-wal', '-shm'])
        await rm(spaceFile(server.dataDir, space.id) + suffix, { force: true })
      await cp(join(backup, 'space.db'), spaceFile(server.dataDir, space.id))
      await server.start()
      await until(shown, ({ phase }) => phase !== 'live')
      ofViewer.restore()
      await live(shown)
      expect(shown.status).toMatchObject({ pending: 0, error: null })
      await shown.flushed()
      expect(childNames(shown)).toEqual(['after the copy'])

      ofOwner.restore()
      await agreed([space, shown])
      expect(readOps(spaceFile(server.dataDir, space.id)).contents.size).toBeGreaterThan(1)
      expect(shown.status).toMatchObject({ phase: 'live', pending: 0, error: null })
    } finally {
      await rm(backup, { recursive: true, force: true })
    }
  })
})
