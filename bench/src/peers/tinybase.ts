import { join } from 'node:path'

import { createMergeableStore } from 'tinybase'
import { createWsSynchronizer } from 'tinybase/synchronizers/synchronizer-ws-client'
import { WebSocket } from 'ws'

import { pause } from '../lib/until.ts'
import type { Doc, Peer } from './peer.ts'

export const tinybase: Peer = {
  name: 'TinyBase',
  packages: ['tinybase'],
  ack: 'none',
  program: ({ port, folder }) => ({
    args: [join(import.meta.dirname, '../servers/tinybase.ts'), String(port), folder],
  }),
  connect: async (port) => {
    const closers: (() => Promise<void>)[] = []

    async function open(name: string): Promise<Doc> {
      const store = createMergeableStore()
      let isClosed = false
      let synchronizer = await synchronize()

      async function synchronize() {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/${name}`)
        const made = await createWsSynchronizer(store, socket)
        await made.startSync()
        socket.on('close', () => void comeBack())
        return made
      }

      async function close(): Promise<void> {
        isClosed = true
        await synchronizer.destroy()
      }

      /** A synchronizer ends with its socket, also with one that reconnects (10.0.1): the app makes another. */
      async function comeBack(): Promise<void> {
        for (;;) {
          await pause(1_000)
          if (isClosed) return
          const made = await synchronize().catch(() => undefined)
          if (made === undefined) continue
          synchronizer = made
          return
        }
      }

      closers.push(close)
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
        close,
      }
    }
    return {
      create: () => open(crypto.randomUUID()),
      open,
      close: async () => void (await Promise.all(closers.map((close) => close()))),
    }
  },
}
