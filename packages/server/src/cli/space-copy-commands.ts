import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

import type { Command } from '@commander-js/extra-typings'
import { SyncError, type UserId } from '@t69/protocol'

import type { AdminAnswer } from '../admin/admin-calls.ts'
import { decodeSpaceCopy, encodeSpaceCopy } from '../admin/space-copy.ts'
import { stageFile } from '../admin/staged-file.ts'
import { copyFile, readCopiedFile } from '../logs/copied-file.ts'
import { examineFile } from '../logs/examine-file.ts'
import { type FileContent, inspectFile } from '../logs/inspect-file.ts'
import { type CommandDeps, foundProblems, withAdmin } from './command-deps.ts'
import { jsonOption } from './list-options.ts'
import { counted, oneLine, sizeText, tableOf, timeText } from './print.ts'
import { withProgress } from './progress.ts'

/** Trees, and processes that committed, that `inspect` shows without `--json`. */
const shownRows = 20

/** `t69-server spaces export`, `import` and `inspect`: what reads the file of a space itself, beside a running server too. */
export function addSpaceCopyCommands(spaces: Command, deps: CommandDeps): void {
  spaces
    .command('export <space>')
    .description('write a copy of a space to standard output: its log, its identity and its members')
    .addHelpText(
      'after',
      '\nExamples:\n  $ t69-server spaces export 0123456789abcdef0123456789abcdef > copy.t69log\n' +
        '  $ docker compose exec -T t69 t69-server spaces export 0123456789abcdef0123456789abcdef > copy.t69log',
    )
    .action(async (space) => {
      const { writeBytes } = deps
      if (writeBytes === undefined) {
        throw new SyncError(
          'invalid_request',
          'a copy is no text for a terminal: say > and the name of a file',
        )
      }
      await withAdmin(deps, async (admin) => {
        const { space: exported, path } = await admin['spaces export']({ space })
        const database = copyFile(existing(path))
        const bytes = encodeSpaceCopy({ madeAt: Date.now(), space: exported, database })
        // Nothing is written that could not be read back.
        const { head } = readCopy(bytes)
        await writeBytes(bytes)
        deps.aside(
          `“${oneLine(exported.name)}” is copied, with ${counted(head, 'operation')}: ${sizeText(bytes.length)}.`,
        )
      })
    })

  jsonOption(spaces.command('import <file>'))
    .description('take a space over from a copy: see spaces export. - is standard input')
    .option('--dry-run', 'only check the copy, and say who would be in the space')
    .option('--by-email', 'members become the accounts that have their addresses here')
    .option('--owner <user>', 'make this account an owner of the space')
    .addHelpText(
      'after',
      '\nExamples:\n  $ t69-server spaces import copy.t69log --dry-run\n' +
        '  $ docker compose exec -T t69 t69-server spaces import - --by-email < copy.t69log',
    )
    .action(async (file, { dryRun = false, byEmail = false, owner, json }) => {
      const { space, database, head } = readCopy(await readGiven(file, deps))
      await withAdmin(deps, async (admin, { dataDir }) => {
        await using staged = await stageFile(dataDir, database)
        const given = { staged: staged.name, space, byEmail, dryRun, ...(owner !== undefined && { owner }) }
        const imported = await admin['spaces import'](given)
        if (json) return deps.line(JSON.stringify({ ...imported, operations: head, isImported: !dryRun }))
        const what = `“${oneLine(imported.name)}” with ${counted(head, 'operation')}, as ${imported.id}`
        deps.line(dryRun ? `This would import ${what}.` : `Imported ${what}.`)
        deps.line(`\nMembers\n${membersTable(imported.members)}`)
        if (imported.absent.length === 0) return
        deps.line(`\nMembers who have no account here\n${membersTable(imported.absent)}`)
      })
    })

  jsonOption(spaces.command('inspect <space>'))
    .description('what is in the file of a space: operations, trees, segments, epochs, who committed, damage')
    .addHelpText('after', '\nExample:\n  $ t69-server spaces inspect 0123456789abcdef0123456789abcdef')
    .action(async (space, { json }) =>
      withAdmin(deps, async (admin) => {
        const { path, memberList } = await admin['spaces show']({ space })
        const damage = examineFile(existing(path))
        const content =
          damage === undefined ? withProgress(deps, (progress) => inspectFile(path, progress)) : undefined
        if (damage !== undefined) deps.exitWith(foundProblems)
        if (json) return deps.line(JSON.stringify({ path, damage: damage ?? null, ...content }))
        deps.line(`File: ${path}\nDamage: ${damage ?? 'none'}`)
        if (content === undefined) return
        const emails = new Map(memberList.map(({ id, email }) => [id, email]))
        for (const line of linesOf(content, (userId) => emails.get(userId) ?? userId)) deps.line(line)
      }),
    )
}

function existing(path: string): string {
  if (existsSync(path)) return path
  throw new SyncError('not_found', `nobody has opened the space yet: there is no ${path}`)
}

async function readGiven(file: string, deps: CommandDeps): Promise<Buffer> {
  if (file === '-') return deps.readInput()
  try {
    return await readFile(file)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    if (error.code === 'ENOENT') throw new SyncError('not_found', `there is no ${file}`)
    throw new SyncError('invalid_request', `it cannot read ${file} (${error.message})`)
  }
}

/** Reads all of a copy. Throws `SyncError` for one that is damaged, or whose parts are not of one space. */
function readCopy(bytes: Buffer) {
  const copy = decodeSpaceCopy(bytes)
  const { spaceId, identity, head } = readCopiedFile(copy.database)
  const { list } = copy.space
  if (spaceId !== list.spaceId || (identity !== undefined && identity !== list.identity)) {
    throw new SyncError('invalid_request', 'the log in it is that of another space than its members')
  }
  return { ...copy, head }
}

function membersTable(members: AdminAnswer<'spaces import'>['members']): string {
  return tableOf(
    ['email', 'name', 'role', 'id'],
    members.map(({ email, name, role, id }) => [email, name, role ?? '–', id]),
  )
}

function* linesOf(content: FileContent, nameOf: (userId: UserId) => string): Generator<string> {
  const { segments, trees, epochs, commits } = content
  const wal = content.walBytes > 0 ? `, and ${sizeText(content.walBytes)} in its write-ahead log` : ''
  yield `Size: ${sizeText(content.bytes)}${wal}; ${sizeText(content.freeBytes)} are free`
  yield `Made: ${timeText(content.createdAt)}, version ${content.version}`
  yield `Log: ${content.logId}, of the space with the identity ${content.identity ?? '–'}`
  yield `Operations: ${content.operations}, of which ${segments.operations} are settled`
  yield `Segments: ${segments.count}, ${sizeText(segments.packedBytes)} for ${sizeText(segments.bytes)}`
  yield `\nTrees: ${trees.length}`
  yield tableOf(
    ['tree', 'operations', 'moves', 'deletes', 'properties', 'clock'],
    trees
      .slice(0, shownRows)
      .map((it) => [
        it.treeId,
        ...[it.operations, it.moves, it.deletes, it.properties, it.clock].map(String),
      ]),
  )
  yield '\nWho committed'
  yield tableOf(
    ['account', 'operations', 'first', 'last'],
    commits.map(({ userId, operations, firstAt, lastAt }) => [
      userId === null ? 'not known' : nameOf(userId),
      String(operations),
      timeText(firstAt),
      timeText(lastAt),
    ]),
  )
  yield `\nProcesses that committed: ${epochs.length}`
  yield tableOf(
    ['epoch', 'operations'],
    epochs.slice(-shownRows).map(({ epoch, operations }) => [epoch, String(operations)]),
  )
}
