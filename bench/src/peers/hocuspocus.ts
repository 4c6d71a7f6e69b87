import { join } from 'node:path'

import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { WebSocket } from 'ws'
import * as Y from 'yjs'

import type { Doc, Peer } from './peer.ts'
import { docOf } from './yjs.ts'

export const hocuspocus: Peer = {
  name: 'Hocuspocus',
  packages: [
    '@hocuspocus/server',
    '@hocuspocus/extension-sqlite',
    '@hocuspocus/provider',
    'yjs',
    'y-indexeddb',
  ],
  ack: 'received',
  page: 'hocuspocus.ts',
  program: ({ port, folder }) => ({
    args: [
      join(import.meta.dirname, '../servers/hocuspocus.ts'),
      String(port),
      join(folder, 'documents.sqlite'),
    ],
  }),
  connect: async (port) => {
    const websocketProvider = new HocuspocusProviderWebsocket({
      url: `ws://127.0.0.1:${port}`,
      WebSocketPolyfill: WebSocket,
    })

    async function open(name: string): Promise<Doc> {
      const document = new Y.Doc()
      const provider = new HocuspocusProvider({ websocketProvider, name, document })
      provider.attach()
      await new Promise<void>((resolve) => provider.on('synced', () => resolve()))
      return docOf(document, name, {
        acked: async () => {
          if (!provider.hasUnsyncedChanges) return
          await new Promise<void>((resolve) =>
            provider.on('unsyncedChanges', () => void (provider.hasUnsyncedChanges || resolve())),
          )
        },
        close: async () => provider.destroy(),
      })
    }

    return {
      create: () => open(crypto.randomUUID()),
      open,
      close: async () => websocketProvider.destroy(),
    }
  },
}
