import { Command } from '@commander-js/extra-typings'

import type { AdminAnswer } from '../admin/admin-calls.ts'
import { type CommandDeps, confirm, withAdmin } from './command-deps.ts'
import { auditTable, jsonOption, pageOptions, restOf } from './list-options.ts'
import { counted, oneLine, sizeText, tableOf, timeText } from './print.ts'
import { addSpaceCopyCommands } from './space-copy-commands.ts'

/** `t69-server spaces`. */
export function spacesCommand(deps: CommandDeps): Command {
  const spaces = new Command('spaces').description('list, look at and remove spaces')

  pageOptions(spaces.command('list'))
    .description('the spaces, the oldest first')
    .addHelpText('after', '\nExample:\n  $ t69-server spaces list --search holiday')
    .action(async ({ search, limit, offset, json }) =>
      withAdmin(deps, async (admin) => {
        const found = await admin['spaces list']({ search, limit, offset })
        if (json) return deps.line(JSON.stringify(found))
        deps.line(spacesTable(found.spaces))
        restOf(deps, found.spaces.length, { offset, total: found.total }, 'spaces')
      }),
    )

  jsonOption(spaces.command('show <space>'))
    .description('one space with its file, its members and what was done: by its id')
    .action(async (space, { json }) =>
      withAdmin(deps, async (admin) => {
        const found = await admin['spaces show']({ space })
        if (json) return deps.line(JSON.stringify(found))
        deps.line(spacesTable([found]))
        deps.line(`\nFile: ${found.path}\n\nMembers`)
        deps.line(membersTable(found.memberList))
        deps.line('\nWhat was done')
        deps.line(auditTable(found.audit))
      }),
    )

  jsonOption(spaces.command('members <space>'))
    .description('the members of a space')
    .action(async (space, { json }) =>
      withAdmin(deps, async (admin) => {
        const { memberList } = await admin['spaces show']({ space })
        deps.line(json ? JSON.stringify(memberList) : membersTable(memberList))
      }),
    )

  jsonOption(spaces.command('delete <space>'))
    .description('delete a space for everybody, for good')
    .option('--dry-run', 'only say what would be deleted')
    .option('--yes', 'do not ask')
    .action(async (space, { dryRun, yes, json }) =>
      withAdmin(deps, async (admin) => {
        const planned = await admin['spaces delete']({ space, dryRun: true })
        const what = `“${oneLine(planned.name)}” of ${planned.owner ?? 'nobody'}, with ${counted(planned.members, 'member')} and ${sizeText(planned.bytes)}`
        if (dryRun !== true) {
          if (!json) deps.line(`This deletes ${what}.`)
          await confirm(deps, 'Delete it?', yes)
          await admin['spaces delete']({ space: planned.id, dryRun: false })
        }
        if (json) return deps.line(JSON.stringify({ ...planned, isDeleted: dryRun !== true }))
        deps.line(dryRun ? `This would delete ${what}.` : 'Deleted.')
      }),
    )

  addSpaceCopyCommands(spaces, deps)
  return spaces
}

function spacesTable(spaces: AdminAnswer<'spaces list'>['spaces']): string {
  const rows = spaces.map((space) => [
    space.id,
    sizeText(space.bytes),
    String(space.members),
    timeText(space.createdAt),
    timeText(space.lastWrittenAt),
    space.owner ?? '–',
    space.name,
  ])
  return tableOf(['id', 'size', 'members', 'since', 'last written', 'owner', 'name'], rows)
}

function membersTable(members: AdminAnswer<'spaces show'>['memberList']): string {
  const rows = members.map(({ email, name, role, joinedAt, id }) => [
    email,
    name,
    role,
    timeText(joinedAt),
    id,
  ])
  return tableOf(['email', 'name', 'role', 'since', 'id'], rows)
}
