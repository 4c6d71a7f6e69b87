import { SyncError } from '@t69/protocol'

import type { Admin } from '../admin/admin-calls.ts'
import { askAdmin } from '../admin/ask-admin.ts'
import { openStopped } from '../admin/stopped-admin.ts'
import { type Config, parseConfig } from '../config.ts'
import { DataDirLockedError } from '../platform/data-dir-lock.ts'
import { silentLogger } from '../ports/logger.ts'
import type { Output } from './print.ts'

/** What the commands get from the process that they run in. */
export interface CommandDeps extends Output {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Asks a question that is answered with yes or no. Undefined where nobody can answer. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined
  /** All of standard input. */
  readonly readInput: () => Promise<Buffer>
  /** Writes bytes to standard output, if that is a file or another program, and no terminal. */
  readonly writeBytes: ((bytes: Uint8Array) => Promise<void>) | undefined
  /** Whether standard error is a terminal, where something may be drawn. */
  readonly isTerminal: boolean
  /** Runs another program in this terminal. Resolves with its exit code; undefined if there is no such program. */
  readonly run: (program: string, args: readonly string[]) => Promise<number | undefined>
  /** Starts the server, and resolves once it listens. */
  readonly serve: (config: Config) => Promise<void>
  /** Sets how the process will end. */
  readonly exitWith: (code: number) => void
}

/** The exit code of a check that found something. */
export const foundProblems = 1

export interface OpenAdmin extends AsyncDisposable {
  readonly admin: Admin
}

/**
 * The server of `DATA_DIR`: the running one through its socket, or the files of a stopped one. Says which on standard error, with
 * the directory, so that nobody works in the wrong one unawares. Throws like `askAdmin` and `openStopped`.
 */
export async function openAdmin(
  deps: Pick<CommandDeps, 'aside'>,
  {
    dataDir,
    refreshTokenTtlMs,
    jwtSecret: signingSecret,
    sqliteSynchronous: synchronous,
    registration,
  }: Config,
): Promise<OpenAdmin> {
  const running = await askAdmin(dataDir)
  if (running !== undefined) {
    deps.aside(`On the running server in ${dataDir}.`)
    return { admin: running, [Symbol.asyncDispose]: async () => {} }
  }
  const options = { dataDir, refreshTokenTtlMs, signingSecret, synchronous, logger: silentLogger }
  try {
    const stopped = await openStopped({ ...options, registrationSetting: registration })
    deps.aside(`On the files in ${dataDir}; no server runs there.`)
    return stopped
  } catch (error) {
    if (!(error instanceof DataDirLockedError)) throw error
    // Nobody listens for commands, and yet somebody has the directory.
    const message = `a server, or another command, uses ${dataDir} and takes no commands at the moment: it is starting or ending, or its log says why. Try again soon`
    throw new SyncError('unavailable', message)
  }
}

/** Runs `work` on the server of `DATA_DIR`. */
export async function withAdmin(
  deps: Pick<CommandDeps, 'env' | 'aside'>,
  work: (admin: Admin, config: Config) => Promise<void>,
): Promise<void> {
  const config = parseConfig(deps.env)
  await using opened = await openAdmin(deps, config)
  await work(opened.admin, config)
}

/** Asks before something is removed. `isSure` is the option `--yes`. Throws `NotConfirmedError`. */
export async function confirm(
  { confirm: ask }: Pick<CommandDeps, 'confirm'>,
  question: string,
  isSure: boolean | undefined,
): Promise<void> {
  if (isSure === true) return
  if (ask === undefined)
    throw new NotConfirmedError('say --yes to do it, or --dry-run to see what would be removed')
  if (!(await ask(question))) throw new NotConfirmedError('nothing was changed')
}

/** The operator did not say yes. */
export class NotConfirmedError extends Error {
  override readonly name = 'NotConfirmedError'
}
