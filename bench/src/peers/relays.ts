import { once } from 'node:events'
import { join } from 'node:path'

import { io, type Socket } from 'socket.io-client'
import { WebSocket } from 'ws'

import type { Device, Doc, Peer } from './peer.ts'

/** What a relay passes on: a text of a document. */
type Edit = readonly [name: string, key: string, value: string]

interface Line {
  /** Resolves when the server has acknowledged the edit; at once where it acknowledges none. */
  send(edit: Edit): Promise<void>
  onEdit(listener: (edit: Edit) => void): void
  close(): void
}

interface Relay extends Pick<Peer, 'name' | 'packages' | 'ack'> {
  /** A script of `servers/`. */
  readonly server: string
  /** What it is given after its port. */
  readonly args?: (folder: string) => readonly string[]
  readonly dial: (port: number) => Promise<Line>
}

/** The same messages through a server that only passes them on: what the transport alone costs. */
function relay({ name, packages, ack, server, args, dial }: Relay): Peer {
  return {
    name,
    packages,
    ack,
    passesOn: true,
    program: ({ port, folder }) => ({
      args: [join(import.meta.dirname, `../servers/${server}.ts`), String(port), ...(args?.(folder) ?? [])],
    }),
    connect: async (port): Promise<Device> => {
      const line = await dial(port)
      const open = async (of: string): Promise<Doc> => docOf(of, line)
      return { create: () => open(crypto.randomUUID()), open, close: async () => line.close() }
    },
  }
}

export const wsRelay = relay({
  name: 'ws, passing on',
  packages: ['ws'],
  ack: 'none',
  server: 'ws-relay',
  async dial(port) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`)
    await once(socket, 'open')
    return {
      send: async (edit) => socket.send(JSON.stringify(edit)),
      onEdit: (listener) =>
        void socket.on('message', (data) => listener(JSON.parse((data as Buffer).toString()) as Edit)),
      close: () => socket.close(),
    }
  },
})

export const socketIoRelay = relay({
  name: 'Socket.IO, passing on',
  packages: ['socket.io'],
  ack: 'none',
  server: 'socket-io-relay',
  async dial(port) {
    const socket = await dialSocketIo(port)
    return { ...lineOf(socket), send: async (edit) => void socket.emit('edit', edit) }
  },
})

const keeping = {
  packages: ['socket.io', 'better-sqlite3'],
  ack: 'on the disk',
  server: 'socket-io-relay',
  async dial(port: number) {
    const socket = await dialSocketIo(port)
    return {
      ...lineOf(socket),
      send: (edit: Edit) => new Promise<void>((resolve) => void socket.emit('edit', edit, resolve)),
    }
  },
} as const

/** What any server costs that promises to have an edit before anybody sees it, and does nothing else. */
export const keepingRelay = relay({
  ...keeping,
  name: 'Socket.IO, keeping first',
  args: (folder) => [join(folder, 'edits.db')],
})

/** The same for a server whose event loop goes on while it waits for the disk. */
export const threadedRelay = relay({
  ...keeping,
  name: 'Socket.IO, keeping first on a thread',
  args: (folder) => [join(folder, 'edits.db'), 'on-thread'],
})

async function dialSocketIo(port: number): Promise<Socket> {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true })
  await new Promise<void>((resolve) => socket.on('connect', resolve))
  return socket
}

const lineOf = (socket: Socket): Omit<Line, 'send'> => ({
  onEdit: (listener) => void socket.on('edit', listener),
  close: () => void socket.close(),
})

function docOf(name: string, line: Line): Doc {
  const texts = new Map<string, string>()
  const listeners: (() => void)[] = []
  let acked: Promise<unknown> = Promise.resolve()
  line.onEdit(([of, key, value]) => {
    if (of !== name) return
    texts.set(key, value)
    for (const listener of listeners) listener()
  })
  return {
    name,
    set: (key, value) => {
      texts.set(key, value)
      acked = Promise.all([acked, line.send([name, key, value])])
    },
    delete: (key) => void texts.delete(key),
    get: (key) => texts.get(key),
    size: () => texts.size,
    onChange: (listener) => void listeners.push(listener),
    acked: async () => void (await acked),
    close: async () => {},
  }
}
