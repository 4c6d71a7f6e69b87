import { join } from 'node:path'

import { type AnyDocumentId, type DocHandle, Repo } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'

import { pause } from '../lib/until.ts'
import type { Doc, Peer } from './peer.ts'

interface Texts {
  texts: Record<string, string>
}

export const automerge: Peer = {
  name: 'automerge-repo',
  packages: ['@automerge/automerge-repo', '@automerge/automerge-repo-storage-nodefs', '@automerge/automerge'],
  ack: 'none',
  program: ({ port, folder }) => ({
    args: [join(import.meta.dirname, '../servers/automerge.ts'), String(port), folder],
  }),
  connect: async (port) => {
    const adapter = new WebSocketClientAdapter(`ws://127.0.0.1:${port}`)
    const repo = new Repo({ network: [adapter] })
    await repo.networkSubsystem.whenReady()
    return {
      create: async () => docOf(repo.create<Texts>({ texts: {} })),
      open: async (name) => {
        for (;;) {
          // The server does not say when it has a document. Until then it is "unavailable".
          const handle = await repo.find<Texts>(name as AnyDocumentId).catch(() => undefined)
          if (handle !== undefined) return docOf(handle)
          await pause(5)
        }
      },
      close: async () => repo.networkSubsystem.disconnect(),
    }
  },
}

function docOf(handle: DocHandle<Texts>): Doc {
  return {
    name: handle.url,
    set: (key, value) =>
      handle.change((doc) => {
        doc.texts[key] = value
      }),
    delete: (key) =>
      handle.change((doc) => {
        delete doc.texts[key]
      }),
    get: (key) => handle.doc().texts[key],
    size: () => Object.keys(handle.doc().texts).length,
    onChange: (listener) => void handle.on('change', listener),
    acked: async () => {},
    close: async () => {},
  }
}
