import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createServer, parseConfig } from '@t69/server'
import { createSyncClient, memoryStorage } from '@t69/sync-client'

/** A program that uses a server in its own process, closes it, and has something to do afterwards. */
const dataDir = await mkdtemp(join(tmpdir(), 't69-closing-'))
const server = await createServer(parseConfig({ PORT: '0', DATA_DIR: dataDir, LOG_LEVEL: 'warn' }))
await server.listen()
const client = createSyncClient({ url: server.url, storage: memoryStorage() })
await client.signUp({ email: 'anna@example.org', password: 'correct horse', name: 'Anna' })
const space = await client.createSpace({ name: 'Home' })
await space.flushed()
await client.close()
await server.close()
await rm(dataDir, { recursive: true })
console.log('closed')
