import { join } from 'node:path'

import { createMergeableStore } from 'tinybase'
import { createWsSynchronizer } from 'tinybase/synchronizers/synchronizer-ws-client'
import { WebSocket } from 'ws'

import type { Doc, Peer } from './peer.ts'

export const tinybase: Peer = {
  name: 'TinyBase',
  packages: ['tinybase'],
  ack: 'none',
  program: ({ port, folder }) => ({
    args: [join(import.meta.dirname, '../servers/tinybase.ts'), String(port), folder],
  }),
  connect: async (port) => {
    async function open(name: string): Promise<Doc> {
      const store = createMergeableStore()
      const synchronizer = await createWsSynchronizer(store, new WebSocket(`ws://127.0.0.1:${port}/${name}`))
      await synchronizer.startSync()
      return {
        name,
        set: (key, value) => void store.setValue(key, value),
        delete: (key) => void store.delValue(key),
        get: (key) => {
          const value = store.getValue(key)
          return typeof value === 'string' ? value : undefined
        },
        size: () => store.getValueIds().length,
        onChange: (listener) => void store.addValuesListener(listener),
        acked: async () => {},
        close: async () => void (await synchronizer.destroy()),
      }
    }
    return { create: () => open(crypto.randomUUID()), open, close: async () => {} }
  },
}
