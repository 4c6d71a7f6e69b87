import { join } from 'node:path'

import { createSyncClient, memoryStorage, type Space } from '@t69/sync-client'

import type { Device, Doc, Peer } from './peer.ts'

const main = join(import.meta.dirname, '../../../packages/server/dist/main.js')
const password = 'correct horse battery'

/** The limits of one person and one address are raised: here one person does everything. */
const many = '1000000'
const env = {
  REGISTRATION: 'open',
  HOST: '127.0.0.1',
  LOG_LEVEL: 'error',
  SIGN_IN_LIMIT_PER_ADDRESS: many,
  SIGN_IN_LIMIT_PER_ACCOUNT: many,
  REQUEST_LIMIT_PER_ADDRESS: many,
  REQUEST_LIMIT_PER_USER: many,
  SOCKET_LIMIT_PER_USER: many,
  USER_QUOTA_SPACES: many,
  REQUESTS_PER_SECOND_AND_SOCKET: many,
  REQUESTS_PER_SECOND_AND_USER: many,
  OPERATIONS_PER_SECOND_AND_USER: many,
  BYTES_PER_SECOND_AND_USER: '1GB',
}

export const accountOf = (person: string) => ({ email: `${person}@example.org`, password, name: person })

export const t69: Peer = {
  name: 't69',
  packages: [],
  ack: 'on the disk',
  page: 't69.ts',
  program: ({ port, folder }) => ({
    args: [main],
    env: { ...env, PORT: String(port), DATA_DIR: folder },
  }),
  connect: async (port, person = 'anna'): Promise<Device> => {
    const client = createSyncClient({ url: `http://127.0.0.1:${port}`, storage: memoryStorage() })
    const account = accountOf(person)
    await client.signIn(account).catch(() => client.signUp(account))
    return {
      create: async () => {
        const space = await client.createSpace({ name: 'Bench' })
        await space.flushed()
        return docOf(space)
      },
      open: async (name) => {
        const space = await client.openSpace(name)
        await live(space)
        return docOf(space)
      },
      close: () => client.close(),
    }
  },
}

async function live(space: Space): Promise<void> {
  const isLive = () => space.status.phase === 'live' && space.status.cursor === space.status.head
  if (isLive()) return
  await new Promise<void>((resolve) => {
    const stop = space.onStatus(() => {
      if (!isLive()) return
      stop()
      resolve()
    })
  })
}

function docOf(space: Space): Doc {
  const vertex = () => {
    const { root } = space.root
    if (root === undefined) throw new Error('the space has no root yet')
    return root
  }
  return {
    name: space.id,
    set: (key, value) => vertex().setProperty(key, value),
    delete: (key) => vertex().setProperty(key, null),
    get: (key) => textOf(vertex().getProperty(key)),
    // RepTree keeps when the vertex was made in a property too.
    size() {
      const properties = space.root.getVertexProperties(vertex().id)
      return properties.filter(({ key, value }) => key !== '_c' && textOf(value) !== undefined).length
    },
    // `observe` gathers the changes that follow each other within 33 ms, for the screen.
    onChange: (listener) => void space.root.observeOpApplied(listener),
    acked: () => space.flushed(),
    close: () => space.close(),
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
