import { once } from 'node:events'
import { join } from 'node:path'

import { io } from 'socket.io-client'
import { WebSocket } from 'ws'

import type { Device, Doc, Peer } from './peer.ts'

/** What a relay passes on: a text of a document. */
type Edit = readonly [name: string, key: string, value: string]

interface Line {
  send(edit: Edit): void
  onEdit(listener: (edit: Edit) => void): void
  close(): void
}

/** The same messages through a server that only passes them on: what the transport alone costs. */
function relay(
  name: string,
  packages: readonly string[],
  server: string,
  dial: (port: number) => Promise<Line>,
): Peer {
  return {
    name,
    packages,
    ack: 'none',
    keepsNothing: true,
    program: ({ port }) => ({
      args: [join(import.meta.dirname, `../servers/${server}.ts`), String(port)],
    }),
    connect: async (port): Promise<Device> => {
      const line = await dial(port)
      const open = async (of: string): Promise<Doc> => docOf(of, line)
      return { create: () => open(crypto.randomUUID()), open, close: async () => line.close() }
    },
  }
}

export const wsRelay = relay('ws, passing on', ['ws'], 'ws-relay', async (port) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  await once(socket, 'open')
  return {
    send: (edit) => socket.send(JSON.stringify(edit)),
    onEdit: (listener) =>
      void socket.on('message', (data) => listener(JSON.parse((data as Buffer).toString()) as Edit)),
    close: () => socket.close(),
  }
})

export const socketIoRelay = relay(
  'Socket.IO, passing on',
  ['socket.io'],
  'socket-io-relay',
  async (port) => {
    const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true })
    await new Promise<void>((resolve) => socket.on('connect', resolve))
    return {
      send: (edit) => void socket.emit('edit', edit),
      onEdit: (listener) => void socket.on('edit', listener),
      close: () => void socket.close(),
    }
  },
)

function docOf(name: string, line: Line): Doc {
  const texts = new Map<string, string>()
  const listeners: (() => void)[] = []
  line.onEdit(([of, key, value]) => {
    if (of !== name) return
    texts.set(key, value)
    for (const listener of listeners) listener()
  })
  return {
    name,
    set: (key, value) => {
      texts.set(key, value)
      line.send([name, key, value])
    },
    delete: (key) => void texts.delete(key),
    get: (key) => texts.get(key),
    size: () => texts.size,
    onChange: (listener) => void listeners.push(listener),
    acked: async () => {},
    close: async () => {},
  }
}
