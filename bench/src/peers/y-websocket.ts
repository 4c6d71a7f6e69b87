import { createRequire } from 'node:module'
import { join } from 'node:path'

import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

import type { Doc, Peer } from './peer.ts'
import { docOf } from './yjs.ts'

const server = createRequire(import.meta.url)
  .resolve('y-websocket/package.json')
  .replace('package.json', 'bin/server.cjs')

export const yWebsocket: Peer = {
  name: 'y-websocket',
  packages: ['y-websocket', 'y-leveldb', 'yjs'],
  ack: 'none',
  program: ({ port, folder }) => ({
    args: [server],
    env: { HOST: '127.0.0.1', PORT: String(port), YPERSISTENCE: join(folder, 'level') },
  }),
  connect: async (port) => {
    async function open(name: string): Promise<Doc> {
      const document = new Y.Doc()
      const provider = new WebsocketProvider(`ws://127.0.0.1:${port}`, name, document, {
        WebSocketPolyfill: WebSocket as never,
        disableBc: true,
      })
      await new Promise<void>((resolve) =>
        provider.on('sync', (isSynced: boolean) => void (isSynced && resolve())),
      )
      return docOf(document, name, { acked: async () => {}, close: async () => provider.destroy() })
    }
    return { create: () => open(crypto.randomUUID()), open, close: async () => {} }
  },
}
