import { join } from 'node:path'

import { createSyncClient, memoryStorage, type Space } from '@t69/sync-client'

import type { Device, Doc, Peer } from './peer.ts'

const main = join(import.meta.dirname, '../../../packages/server/dist/main.js')
const account = { email: 'anna@example.org', password: 'correct horse battery', name: 'Anna' }

/** Limits against abuse stay, but for those that all devices of one person at one address would meet. */
const env = {
  REGISTRATION: 'open',
  HOST: '127.0.0.1',
  LOG_LEVEL: 'error',
  SIGN_IN_LIMIT_PER_ADDRESS: '100000',
  SIGN_IN_LIMIT_PER_ACCOUNT: '100000',
  REQUEST_LIMIT_PER_ADDRESS: '100000',
  REQUEST_LIMIT_PER_USER: '100000',
}

export const t69: Peer = {
  name: 't69',
  packages: [],
  ack: 'on the disk',
  program: ({ port, folder }) => ({
    args: [main],
    env: { ...env, PORT: String(port), DATA_DIR: folder },
  }),
  connect: async (port): Promise<Device> => {
    const client = createSyncClient({ url: `http://127.0.0.1:${port}`, storage: memoryStorage() })
    const { email, password } = account
    await client.signIn({ email, password }).catch(() => client.signUp(account))
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
    size: () =>
      Object.entries(vertex().getProperties()).filter(
        ([key, value]) => key !== '_c' && textOf(value) !== undefined,
      ).length,
    // `observe` gathers changes for the screen, up to 33 ms, as RepTree does.
    onChange: (listener) => void space.root.observeOpApplied(listener),
    acked: () => space.flushed(),
    close: () => space.close(),
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
