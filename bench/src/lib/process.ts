import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'

import { newFolder } from './folder.ts'

/** How to start a server: its program, with the port and folder that it is given. */
export interface Program {
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A server in a process of its own, on data of its own. Its figures are read from outside, in /proc. */
export interface ServerProcess {
  readonly port: number
  /** Resident memory, in bytes. */
  memory(): number
  /** Processor time that all its threads have taken, in seconds. */
  cpu(): number
  /** Bytes of its files, by what they take on the disk. */
  disk(): Promise<number>
  kill(): Promise<void>
  /** Ends it in order. */
  stop(): Promise<void>
  start(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const ticksPerSecond = 100
const startDeadlineMs = 30_000

export async function startServer(
  program: (given: { port: number; folder: string }) => Program,
): Promise<ServerProcess> {
  const folder = newFolder()
  const port = await freePort()
  const { args, env } = program({ port, folder })
  let child: ChildProcess | undefined
  let said = ''

  async function start(): Promise<void> {
    const started = spawn(process.execPath, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = started
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (text: Buffer) => (said = (said + String(text)).slice(-4_000)))
    }
    await untilItListens(port, () => {
      if (started.exitCode !== null) throw new Error(`the server ended: ${said}`)
    })
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null) return
    const ended = once(ending, 'exit')
    ending.kill(signal)
    const force = setTimeout(() => ending.kill('SIGKILL'), 15_000)
    await ended
    clearTimeout(force)
  }

  const read = (file: string): string => readFileSync(`/proc/${child?.pid}/${file}`, 'utf8')

  await start()
  return {
    port,
    memory: () => Number(/VmRSS:\s+(\d+)/.exec(read('status'))?.[1]) * 1024,
    cpu: () => {
      // The fields after the name, which may have spaces in it: utime and stime are the 14th and 15th of all.
      const fields = read('stat').split(') ')[1]?.split(' ') ?? []
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
    },
    disk: () => diskOf(folder),
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    start,
    async [Symbol.asyncDispose]() {
      await end('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function diskOf(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    // A file may be gone by now: databases remove their logs.
    const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined)
    bytes += (found?.blocks ?? 0) * 512
  }
  return bytes
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}

async function untilItListens(port: number, check: () => void): Promise<void> {
  const deadline = performance.now() + startDeadlineMs
  for (;;) {
    check()
    const answered = await fetch(`http://127.0.0.1:${port}/health`).then(
      () => true,
      () => false,
    )
    if (answered) return
    if (performance.now() > deadline) throw new Error('the server does not listen')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
