import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { Command } from '@commander-js/extra-typings'
import { spaceIdSchema, SyncError } from '@t69/protocol'

import { askAdmin } from '../admin/ask-admin.ts'
import { parseConfig } from '../config.ts'
import { examineFile } from '../logs/examine-file.ts'
import { pathOfSpace } from '../logs/space-path.ts'
import { storedOps } from '../logs/stored-ops.ts'
import { claimDataDir } from '../platform/claim-data-dir.ts'
import { lockDataDir } from '../platform/data-dir-lock.ts'
import { lookForFiles } from '../platform/data-files.ts'
import { NoServerError } from '../platform/no-server-error.ts'
import { damageIn } from '../sqlite/damage.ts'
import { type CommandDeps, foundProblems } from './command-deps.ts'
import { jsonOption } from './list-options.ts'
import { counted } from './print.ts'

/** `t69-server db`. Reads files itself, also beside a running server: SQLite lets others read. */
export function dbCommand(deps: CommandDeps): Command {
  const db = new Command('db').description('find, open and check the databases')
  const dataDir = (): string => parseConfig(deps.env).dataDir

  /** The database of the accounts, or that of a space. Throws where there is none. */
  function pathOf(space: string | undefined): string {
    const path = space === undefined ? join(dataDir(), 'platform.sqlite') : spacePath(dataDir(), space)
    if (existsSync(path)) return path
    if (space === undefined) throw new NoServerError(`no server has run in ${dataDir()} yet`)
    throw new SyncError('not_found', `there is no ${path}`)
  }

  db.command('path [space]')
    .description('print the path of the database of the accounts, or of a space')
    .addHelpText('after', '\nExample:\n  $ sqlite3 -readonly "$(t69-server db path)" .tables')
    .action((space) => deps.line(pathOf(space)))

  db.command('open [space]')
    .description('open a database in the shell of sqlite3, for reading')
    .option('--write', 'for writing too; only while no server runs')
    .addHelpText(
      'after',
      '\nExamples:\n  $ t69-server db open\n  $ ssh -t host docker compose exec t69 t69-server db open\n' +
        '  $ echo "select count(*) from users" | t69-server db open',
    )
    .action(async (space, { write }) => {
      const path = pathOf(space)
      if (write !== true) {
        deps.aside(`${path}, for reading.`)
        return shell(['-readonly', path])
      }
      const dir = dataDir()
      if ((await askAdmin(dir)) !== undefined) {
        throw new SyncError('unavailable', `a server runs in ${dir}: stop it first, or read without --write`)
      }
      await using _claim = await claimDataDir(dir)
      const lock = lockDataDir(dir)
      try {
        deps.aside(`${path}, for writing. No server can start on it meanwhile.`)
        await shell([path])
      } finally {
        lock.release()
      }
    })

  async function shell(args: readonly string[]): Promise<void> {
    const code = await deps.run('sqlite3', args)
    if (code === undefined) {
      throw new SyncError(
        'not_found',
        'there is no sqlite3 on the PATH: install it (Debian: apt install sqlite3)',
      )
    }
    deps.exitWith(code)
  }

  db.command('ops <space>')
    .description('print the operations of a space, a line of JSON each, in the order of its log')
    .addHelpText('after', '\nExample:\n  $ t69-server db ops 0123456789abcdef0123456789abcdef | head')
    .action((space) => {
      for (const { seq, isSettled, op } of storedOps(pathOf(space)))
        deps.line(JSON.stringify({ seq, isSettled, ...op }))
    })

  jsonOption(db.command('check [space]'))
    .description(
      'read the database of the accounts, or of a space, or with --all every one, and say what is damaged',
    )
    .option('--all', 'the accounts and all spaces')
    .addHelpText('after', '\nExample:\n  $ t69-server db check --all')
    .action(async (space, { all, json }, command) => {
      if (space !== undefined && all === true) command.error('error: name a space, or say --all')
      const platform = pathOf(undefined)
      const paths = space !== undefined ? [pathOf(space)] : [platform]
      if (all === true) paths.push(...(await lookForFiles(dataDir())).spacePaths)
      let damaged = 0
      for (const path of paths) {
        const damage = path === platform ? damageIn(path) : examineFile(path)
        if (damage !== undefined) damaged++
        if (json) deps.line(JSON.stringify({ path, damage: damage ?? null }))
        else if (damage !== undefined || paths.length === 1) deps.line(`${path}: ${damage ?? 'sound'}`)
      }
      if (!json) deps.line(`Sound: ${paths.length - damaged} of ${counted(paths.length, 'database')}.`)
      if (damaged > 0) deps.exitWith(foundProblems)
    })

  return db
}

function spacePath(dataDir: string, space: string): string {
  const id = spaceIdSchema.safeParse(space)
  if (!id.success)
    throw new SyncError('invalid_request', `${space} is not the id of a space: 32 hex digits, or a UUID`)
  return pathOfSpace(dataDir, id.data)
}
