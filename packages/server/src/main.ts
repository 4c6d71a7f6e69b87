#!/usr/bin/env node
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'

import { SyncError } from '@t69/protocol'

import { ask } from './cli/ask.ts'
import { NotConfirmedError } from './cli/command-deps.ts'
import { runProgram } from './cli/program.ts'
import { ConfigError, type Config } from './config.ts'
import { DataDirLockedError } from './platform/data-dir-lock.ts'
import { LostAccountsError } from './platform/lost-accounts.ts'
import { DamagedPlatformError } from './platform/mend-platform.ts'
import { NoServerError } from './platform/no-server-error.ts'
import { SigningSecretError } from './platform/signing-secret.ts'
import { MailError } from './ports/mailer.ts'
import { withSecretFiles } from './secret-files.ts'
import type { Server } from './server.ts'
import { misspeltSettings } from './settings.ts'
import { DisplacedFileError } from './sqlite/database-files.ts'
import { NewerSchemaError } from './sqlite/migrate.ts'

/**
 * The program: the only file that knows the process that it runs in. Without arguments it serves. `cli/program.ts` has the
 * commands.
 */

/** How long shutting down may take before the process exits anyway, in ms. */
const closeDeadlineMs = 10_000
const oldestNode = 24

// Nobody else may read the server's files, even in a folder that existed before.
process.umask(0o077)

const args = process.argv.slice(2)
const serves = args.length === 0 || args[0] === 'serve'

// `users list | head` reads no further, and that is fine.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A disk that is full or a reader that is gone must not end the server: it goes on, and so does its log.
  if (serves) return
  if (error.code !== 'EPIPE') {
    console.error(`t69 cannot write its output: ${error.message}.`)
    process.exitCode = 1
  }
  process.exit()
})

try {
  checkNode()
  await runProgram(args, {
    // Only where a command asks for settings: `--help` needs no secrets.
    get env() {
      return withSecretFiles(process.env)
    },
    line: (text) => void process.stdout.write(`${text}\n`),
    aside: (text) => void process.stderr.write(`${text}\n`),
    confirm:
      process.stdin.isTTY && process.stdout.isTTY
        ? (question) => ask(question, { input: process.stdin, output: process.stdout })
        : undefined,
    readInput: () => buffer(process.stdin),
    writeBytes: process.stdout.isTTY ? undefined : writeBytes,
    isTerminal: process.stderr.isTTY,
    run,
    serve,
    exitWith: (code) => {
      process.exitCode = code
    },
  })
} catch (error) {
  console.error(reasonOf(error))
  process.exitCode = 1
}

async function serve(config: Config): Promise<void> {
  const server = await start(config)
  for (const { name, meant } of misspeltSettings(process.env)) {
    server.http.log.warn({ name, meant }, `${name} is no setting of t69: ${meant} may be meant`)
  }
  // Whoever reads the address may ask it to end at once.
  closeInOrder(server)
  // Plain text for a terminal. Everything else on standard output is a JSON log line.
  console.log(`t69 is at ${server.url}`)
}

/** However the process ends before all of it is written, it has failed: nobody must take half of it for the whole. */
function writeBytes(bytes: Uint8Array): Promise<void> {
  process.exitCode = 1
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => {
      if (error) return reject(error)
      process.exitCode = 0
      resolve()
    })
  })
}

/** Runs another program in this terminal. Undefined if there is none of that name. */
async function run(program: string, given: readonly string[]): Promise<number | undefined> {
  const child = spawn(program, [...given], { stdio: 'inherit' })
  // Ctrl-C is the other program's.
  const ignore = (): void => {}
  process.on('SIGINT', ignore)
  try {
    const [code] = await once(child, 'close')
    return typeof code === 'number' ? code : 1
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  } finally {
    process.off('SIGINT', ignore)
  }
}

function checkNode(): void {
  const { node } = process.versions
  if (Number.parseInt(node) < oldestNode)
    throw new ConfigError(`it needs Node ${oldestNode} or newer, and this is ${node}.`)
}

async function start(config: Config): Promise<Server> {
  // A command needs none of it, and begins sooner without.
  const { createServer } = await import('./server.ts')
  const server = await createServer(config)
  try {
    await server.listen()
    return server
  } catch (error) {
    await server.close()
    throw error
  }
}

/** Shuts down at a signal, and when the server fails: a supervisor starts it again. */
function closeInOrder(server: Server): void {
  let isClosing = false
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isClosing) process.exit(1)
    server.http.log.info({ signal }, 'shutting down')
    close(0)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  void closeOnFailure()

  async function closeOnFailure(): Promise<void> {
    const error = await server.failed
    if (isClosing) return
    server.http.log.error({ err: error }, 'the server fails and shuts down')
    console.error(`t69 stops: ${error.message}.${adviceOn(error)}`)
    close(1)
  }

  function close(exitCode: number): void {
    isClosing = true
    const deadline = setTimeout(() => {
      server.http.log.error({}, 'shutting down took too long')
      process.exit(1)
    }, closeDeadlineMs)
    server.close().then(
      () => {
        clearTimeout(deadline)
        process.exit(exitCode)
      },
      (error: unknown) => {
        server.http.log.error({ err: error }, 'shutting down failed')
        process.exit(1)
      },
    )
  }
}

function adviceOn(error: Error): string {
  if (error instanceof DataDirLockedError) return ''
  if (error.cause instanceof DisplacedFileError) return ' Put the right file there, and start it again.'
  return ' Start it again: the file is examined then.'
}

/** A sentence for an error that the operator can fix, or else the whole error. */
function reasonOf(error: unknown): unknown {
  const reason = sentenceOf(error)
  if (reason === undefined) return error
  return serves ? `t69 cannot start: ${reason}` : `t69 cannot do that: ${reason}`
}

function sentenceOf(error: unknown): string | undefined {
  if (error instanceof ConfigError || error instanceof SigningSecretError) return error.message
  if (error instanceof DamagedPlatformError) return `${error.message}.`
  if (error instanceof NoServerError) return `${error.message}. Set DATA_DIR to the folder of a server.`
  if (error instanceof SyncError || error instanceof NotConfirmedError || error instanceof MailError)
    return `${error.message}.`
  if (error instanceof DataDirLockedError || error instanceof LostAccountsError) return `${error.message}.`
  if (error instanceof NewerSchemaError) return `platform.sqlite is newer: ${error.message}.`
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const { PORT = '3000', HOST = '', DATA_DIR = './data' } = process.env
  const isListening = 'syscall' in error && error.syscall === 'listen'
  // SQLite's codes may go on with what exactly it was, such as SQLITE_READONLY_DIRECTORY.
  switch (String(error.code).replace(/^(SQLITE_[A-Z]+)_.*/, '$1')) {
    case 'EADDRINUSE':
      return `port ${PORT} is in use. Stop what uses it, or set PORT.`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${HOST} is not an address of this machine. Set HOST.`
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ENOTDIR':
    case 'EEXIST':
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_READONLY':
      return isListening
        ? `it may not use port ${PORT}. Set PORT to 1024 or more.`
        : `it cannot write to ${DATA_DIR} (${error.message}). Set DATA_DIR.`
    case 'ENOSPC':
    case 'EDQUOT':
    case 'SQLITE_FULL':
      return `the disk of ${DATA_DIR} is full (${error.message}). Make room.`
    case 'EIO':
    case 'SQLITE_IOERR':
      return `the disk of ${DATA_DIR} is full or fails (${error.message}).`
    case 'SQLITE_BUSY':
      return `another program has locked a database in ${DATA_DIR} (${error.message}). Let it finish.`
    case 'SQLITE_NOTADB':
    case 'SQLITE_CORRUPT':
      return `a database in ${DATA_DIR} is damaged (${error.message}).`
    default:
      return undefined
  }
}
