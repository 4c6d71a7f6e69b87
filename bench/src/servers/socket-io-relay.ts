import { createServer } from 'node:http'
import { Worker } from 'node:worker_threads'

import { Server } from 'socket.io'

import { openEdits } from './edits-file.ts'

/** Calls `kept` once an edit is committed and flushed, in the order in which the edits come. */
type Keep = (edit: unknown, kept: () => void) => void

/** Passes edits on. With a file, it commits each to it before, and acknowledges it; with `on-thread`, on a thread. */
const [port, file, onThread] = process.argv.slice(2)
const keep = file === undefined ? pass : onThread === undefined ? onLoop(file) : onAThread(file)

function pass(_edit: unknown, kept: () => void): void {
  kept()
}

function onLoop(path: string): Keep {
  const commit = openEdits(path)
  return (edit, kept) => {
    commit(edit)
    kept()
  }
}

function onAThread(path: string): Keep {
  const thread = new Worker(new URL('./keeping-thread.ts', import.meta.url), { workerData: path })
  const waiting: (() => void)[] = []
  thread.on('message', () => waiting.shift()?.())
  return (edit, kept) => {
    waiting.push(kept)
    thread.postMessage(edit)
  }
}

const http = createServer((_request, response) => response.end('ok'))
new Server(http).on('connection', (socket) =>
  socket.on('edit', (edit: unknown, acked?: () => void) =>
    keep(edit, () => {
      socket.broadcast.emit('edit', edit)
      acked?.()
    }),
  ),
)
http.listen(Number(port), '127.0.0.1')
