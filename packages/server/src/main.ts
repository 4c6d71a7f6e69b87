#!/usr/bin/env node
import { ConfigError, parseConfig, type Config } from './config.ts'
import { DataDirLockedError } from './platform/data-dir-lock.ts'
import { LostAccountsError } from './platform/lost-accounts.ts'
import { DamagedPlatformError } from './platform/mend-platform.ts'
import { SigningSecretError } from './platform/signing-secret.ts'
import { createServer, type Server } from './server.ts'
import { NewerSchemaError } from './sqlite/migrate.ts'

/** The program: the only file that knows the process that it runs in. */

/** How long shutting down may take before the process exits anyway, in ms. */
const closeDeadlineMs = 10_000
const oldestNode = 24

// Nobody else may read the server's files, even in a folder that existed before.
process.umask(0o077)

try {
  checkNode()
  const config = parseConfig(process.env)
  const server = await start(config)
  // Plain text for a terminal. Everything else on standard output is a JSON log line.
  console.log(`t69 is at ${server.url}`)
  closeInOrder(server)
} catch (error) {
  console.error(reasonOf(error))
  process.exitCode = 1
}

function checkNode(): void {
  const { node } = process.versions
  if (Number.parseInt(node) < oldestNode)
    throw new ConfigError(`it needs Node ${oldestNode} or newer, and this is ${node}.`)
}

async function start(config: Config): Promise<Server> {
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
    console.error(`t69 stops: ${error.message}. Put the right file there, and start it again.`)
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

/** A sentence for an error that the operator can fix, or else the whole error. */
function reasonOf(error: unknown): unknown {
  const reason = sentenceOf(error)
  return reason === undefined ? error : `t69 cannot start: ${reason}`
}

function sentenceOf(error: unknown): string | undefined {
  if (error instanceof ConfigError || error instanceof SigningSecretError) return error.message
  if (error instanceof DamagedPlatformError) return `${error.message}.`
  if (error instanceof DataDirLockedError || error instanceof LostAccountsError) return `${error.message}.`
  if (error instanceof NewerSchemaError) return `platform.sqlite is newer: ${error.message}.`
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const { PORT = '3000', HOST = '', DATA_DIR = './data' } = process.env
  const isListening = 'syscall' in error && error.syscall === 'listen'
  switch (error.code) {
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
    case 'SQLITE_NOTADB':
    case 'SQLITE_CORRUPT':
      return `a database in ${DATA_DIR} is damaged (${error.message}).`
    default:
      return undefined
  }
}
