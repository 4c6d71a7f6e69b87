import { spawnSync } from 'node:child_process'

import { describe, expect, it } from 'vitest'

/** Runs a module in a Node process of its own, from source, and returns how it ended and what it printed. */
const run = (source: string): Ended => runNode('--input-type=module', '--eval', source)

interface Ended {
  readonly status: number | null
  readonly printed: string
}

function runNode(...args: string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--conditions=source', ...args], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  })
  return { status, printed: stdout + stderr }
}

describe('A Node process', () => {
  it('goes on when a client cannot start and the caller has caught the error of a call', () => {
    const ended = run(`
      import { createSyncClient } from '@t69/sync-client'
      const client = createSyncClient({ url: 'http://localhost:1' })
      await client.signIn({ email: 'a@b.cc', password: 'correct horse' }).catch(({ code }) => console.log(code))
      setImmediate(() => console.log('alive'))
    `)
    expect(ended).toEqual({ status: 0, printed: 'storage_failed\nalive\n' })
  })

  it('goes on when it ignores a client that cannot start, and a client that is closed', () => {
    const ended = run(`
      import { createSyncClient, memoryStorage } from '@t69/sync-client'
      createSyncClient({ url: 'http://localhost:1' })
      await createSyncClient({ url: 'http://localhost:1' }).close()
      await createSyncClient({ url: 'http://localhost:1', storage: memoryStorage() }).close()
      setImmediate(() => console.log('alive'))
    `)
    expect(ended).toEqual({ status: 0, printed: 'alive\n' })
  })

  it('goes on when a listener throws, and when it has caught what a full disk makes `close` reject with', () => {
    const { status, printed } = run(`
      import { createSyncClient, memoryStorage } from '@t69/sync-client'
      const storage = memoryStorage()
      const client = createSyncClient({ url: 'http://localhost:1', storage })
      const space = await client.createSpace({ name: 'Notes' })
      const stop = space.onStatus(() => {
        stop()
        throw new Error('broken listener')
      })
      storage.appendLocal = () => Promise.reject(new Error('no room'))
      space.root.root.newNamedChild('last')
      await client.close().catch(({ message }) => console.log(message))
      setImmediate(() => console.log('alive'))
    `)
    expect(printed).toMatch(/^no room\nalive\nError: broken listener\n/)
    expect(status).toBe(0)
  })

  it('waits until a server in it has closed, and then ends', () => {
    expect(runNode('closing-server.ts')).toEqual({ status: 0, printed: 'closed\n' })
  })
})
