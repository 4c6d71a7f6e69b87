import { spawn, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const mainFile = join(import.meta.dirname, '../../packages/server/dist/main.js')
const startDeadlineMs = 60_000
const stopDeadlineMs = 45_000

export interface ServerProcess {
  /** Stays the same through restarts. */
  readonly url: string
  readonly dataDir: string
  /** The process id of the running server. */
  readonly pid: number | undefined
  /** Everything that the server has written, over all restarts. */
  log(): string
  /** Kills the process (SIGKILL), and waits until it is gone. */
  kill(): Promise<void>
  /** Asks the process to end (SIGTERM), and waits. Resolves with the exit code. */
  stop(): Promise<number | null>
  /** Resolves when the process that was started last has ended, however it does. */
  readonly gone: Promise<void>
  /** Waits until the process has ended by itself. Resolves with the exit code. */
  ended(): Promise<number | null>
  /** Starts the server again on the same data and port. `env` adds to the environment that it had. */
  start(env?: Readonly<Record<string, string>>): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface ServerProcessOptions {
  readonly dataDir?: string
  readonly env?: Readonly<Record<string, string>>
  /** A command that replaces itself with the command in its arguments, as `exec` does. */
  readonly through?: readonly string[]
}

/** Starts the built server as a separate process, on a free port and with a new data folder. Anyone may sign up. */
export async function startServer(options: ServerProcessOptions = {}): Promise<ServerProcess> {
  await access(mainFile).catch(() => {
    throw new Error(`${mainFile} does not exist: build first (pnpm build)`)
  })
  const ownsData = options.dataDir === undefined
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 't69-data-')))
  const port = await freePort()
  const lines: string[] = []
  let child: ChildProcess | undefined
  let gone: Promise<void> = Promise.resolve()

  async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    if (child !== undefined) throw new Error('the server is already running')
    const [command, ...args] = [...(options.through ?? []), process.execPath, mainFile] as const
    const started = spawn(command, args, {
      env: {
        ...process.env,
        REGISTRATION: 'open',
        ...options.env,
        ...env,
        DATA_DIR: dataDir,
        PORT: String(port),
        HOST: '127.0.0.1',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = started
    gone = new Promise((resolve) => {
      started.once('exit', () => {
        if (child === started) child = undefined
        resolve()
      })
    })
    createInterface({ input: started.stderr }).on('line', (line) => lines.push(line))
    await addressLine(started, lines)
  }

  async function end(signal: 'SIGKILL' | 'SIGTERM' | undefined): Promise<number | null> {
    const running = child
    if (running === undefined) return null
    const gone = once(running, 'exit', { signal: AbortSignal.timeout(stopDeadlineMs) })
    if (signal !== undefined) running.kill(signal)
    await gone.catch(() => {
      running.kill('SIGKILL')
      throw new Error(
        `the server did not end within ${stopDeadlineMs} ms of ${signal ?? 'being waited for'}\n${lines.join('\n')}`,
      )
    })
    return running.exitCode
  }

  await start()
  return {
    url: `http://127.0.0.1:${port}`,
    dataDir,
    get pid() {
      return child?.pid
    },
    get gone() {
      return gone
    },
    log: () => lines.join('\n'),
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    ended: () => end(undefined),
    start,
    async [Symbol.asyncDispose]() {
      await end('SIGKILL')
      if (ownsData) await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** Waits for the line with the address, which the server prints once it accepts requests. */
async function addressLine(server: ChildProcess, lines: string[]): Promise<void> {
  const { stdout } = server
  if (stdout === null) throw new Error('the server was started without a pipe for its output')
  const output = createInterface({ input: stdout })
  const ready = Promise.withResolvers<void>()
  output.on('line', (line) => {
    lines.push(line)
    if (line.startsWith('t69 is at http')) ready.resolve()
  })
  server.once('exit', (code, signal) => ready.reject(new Error(`the server ended early: ${code ?? signal}`)))
  const deadline = setTimeout(() => ready.reject(new Error('the server gave no address')), startDeadlineMs)
  try {
    await ready.promise
  } catch (error) {
    server.kill('SIGKILL')
    throw new Error(`${String(error)}\n${lines.join('\n')}`, { cause: error })
  } finally {
    clearTimeout(deadline)
  }
}

// No browser opens 10080. The system gives those from 32768 on to whatever asks for any, such as the connections of other tests.
const lowestPort = 11_000
const portsOfWorker = 1_000
const workers = 21
const givenOut = new Set<number>()

/**
 * Finds a free port. It stays free until a server is started or comes back there, which clients expect at the address that they
 * know: each of Vitest's workers has ports of its own, which the system gives to nobody, and gives none of them out twice.
 */
export async function freePort(): Promise<number> {
  const first = lowestPort + (Number(process.env['VITEST_POOL_ID'] ?? 0) % workers) * portsOfWorker
  for (;;) {
    const port = randomInt(first, first + portsOfWorker)
    if (givenOut.has(port)) continue
    givenOut.add(port)
    const probe = createServer().listen(port, '127.0.0.1')
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    probe.close()
    await once(probe, 'close')
    return port
  }
}
