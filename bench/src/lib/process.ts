import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'

import { WebSocket } from 'ws'

import { newFolder } from './folder.ts'
import { pause, until } from './until.ts'

/** How to start a server: its program, with the port and folder that it is given. */
export interface Program {
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A server in a process of its own, on data of its own. Its figures are read from outside, in /proc. */
export interface ServerProcess {
  readonly port: number
  /**
   * In bytes, once the garbage of its main thread is collected: what is resident, and what JavaScript holds on that thread, with
   * what it holds outside of its heap.
   */
  memory(): Promise<{ readonly resident: number; readonly held: number }>
  /** Processor time that all its threads have taken, in seconds. */
  cpu(): number
  /** Bytes of its files, by what they take on the disk. */
  disk(): Promise<number>
  kill(): Promise<void>
  /** Ends it in order, once it has nothing more to do: not every server writes what it has when it is told to end. */
  stop(): Promise<void>
  start(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const ticksPerSecond = 100
const heldBytes = '((memory) => memory.heapUsed + memory.external)(process.memoryUsage())'
const startDeadlineMs = 30_000

/** With `flushMs`, each flush to the disk takes so much longer. */
export async function startServer(
  program: (given: { port: number; folder: string }) => Program,
  { flushMs }: { readonly flushMs?: number | undefined } = {},
): Promise<ServerProcess> {
  const folder = newFolder()
  const port = await freePort()
  const { args, env } = program({ port, folder })
  let child: ChildProcess | undefined
  let said = ''
  let inspectorUrl: string | undefined

  async function start(): Promise<void> {
    said = ''
    inspectorUrl = undefined
    // Its inspector listens at no port until it is asked for.
    const command = [process.execPath, '--inspect-port=0', ...args]
    const [file = '', ...rest] = flushMs === undefined ? command : [...slowly(flushMs), ...command]
    const started = spawn(file, rest, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = started
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (text: Buffer) => {
        said = (said + String(text)).slice(-4_000)
        inspectorUrl ??= /ws:\/\/127\.0\.0\.1:\S+/.exec(said)?.[0]
      })
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

  async function memory(): Promise<{ resident: number; held: number }> {
    if (inspectorUrl === undefined) child?.kill('SIGUSR1')
    await until('its inspector listens', () => inspectorUrl !== undefined)
    const inspector = new WebSocket(String(inspectorUrl))
    await once(inspector, 'open')
    async function ask(method: string, params: object = {}): Promise<unknown> {
      inspector.send(JSON.stringify({ id: 1, method, params }))
      const [reply] = (await once(inspector, 'message')) as [Buffer]
      return (JSON.parse(String(reply)) as { result: { result?: { value?: unknown } } }).result.result?.value
    }
    // What the first one has finalized, the second one frees.
    await ask('HeapProfiler.collectGarbage')
    await ask('HeapProfiler.collectGarbage')
    const held = Number(await ask('Runtime.evaluate', { expression: heldBytes }))
    inspector.terminate()
    // What is free now goes back to the system a little later.
    await pause(500)
    return { held, resident: Number(/VmRSS:\s+(\d+)/.exec(read('status'))?.[1]) * 1024 }
  }

  function read(file: string): string {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      throw new Error('the server has ended')
    return readFileSync(`/proc/${child.pid}/${file}`, 'utf8')
  }

  function cpu(): number {
    // The fields after the name, which may have spaces in it: utime and stime are the 14th and 15th of all.
    const fields = read('stat').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  }

  /** Until it takes less than a twentieth of a core, or 20 s are over. */
  async function untilItRests(): Promise<void> {
    for (let second = 0; second < 20; second++) {
      const before = cpu()
      await pause(1_000)
      if (cpu() - before < 0.05) return
    }
  }

  await start()
  return {
    port,
    memory,
    cpu,
    disk: () => diskOf(folder),
    kill: () => end('SIGKILL'),
    stop: async () => {
      await untilItRests()
      await end('SIGTERM')
    },
    start,
    async [Symbol.asyncDispose]() {
      await end('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Runs what follows with slower flushes. strace is a child of its own (-D), so that the process is the server's. */
function slowly(flushMs: number): readonly string[] {
  const inject = `--inject=fsync,fdatasync:delay_exit=${flushMs}ms`
  return ['strace', '-D', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '--trace=fsync,fdatasync', inject]
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
