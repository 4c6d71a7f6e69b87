import { Command } from '@commander-js/extra-typings'
import type { RegistrationMode } from '@t69/protocol'

import type { AdminAnswer } from '../admin/admin-calls.ts'
import { type CommandDeps, withAdmin } from './command-deps.ts'
import { auditTable, jsonOption } from './list-options.ts'
import { timeText } from './print.ts'

/** What each mode means, for people. */
export const meanings: Readonly<Record<RegistrationMode, string>> = {
  open: 'anyone may sign up',
  invite: 'whoever has an invite may sign up',
  closed: 'nobody may sign up',
}

const rule = `
The setting REGISTRATION counts until one of these commands chooses something else. What was chosen is kept with the accounts and
counts from then on, at once and after every start, whatever the setting says, until "registration reset".

Examples:
  $ t69-server registration show
  $ t69-server registration closed`

/** `t69-server registration`. */
export function registrationCommand(deps: CommandDeps): Command {
  const registration = new Command('registration')
    .description('look at who may sign up, and change it while the server runs')
    .addHelpText('after', rule)

  jsonOption(registration.command('show'))
    .description(
      'who may sign up, whether that is from the setting, and what was done to the server as a whole',
    )
    .action(async ({ json }) =>
      withAdmin(deps, async (admin) => {
        const found = await admin['registration show']({})
        if (json) return deps.line(JSON.stringify(found))
        deps.line(stateText(found))
        deps.line('\nWhat was done')
        deps.line(auditTable(found.audit))
      }),
    )

  async function choose(mode: RegistrationMode | null, json: boolean | undefined): Promise<void> {
    return withAdmin(deps, async (admin) => {
      const chosen = await admin['registration choose']({ mode })
      deps.line(json ? JSON.stringify(chosen) : stateText(chosen))
    })
  }

  for (const mode of ['open', 'invite', 'closed'] as const) {
    jsonOption(registration.command(mode))
      .description(`from now on, ${meanings[mode]}`)
      .action(async ({ json }) => choose(mode, json))
  }
  jsonOption(registration.command('reset'))
    .description('from now on, the setting REGISTRATION counts again')
    .action(async ({ json }) => choose(null, json))

  return registration
}

function stateText({ mode, setting, chosenAt }: AdminAnswer<'registration choose'>): string {
  const state = `Registration is ${mode}: ${meanings[mode]}.`
  if (chosenAt === null) return `${state} The setting REGISTRATION says so.`
  return `${state} A command has said so since ${timeText(chosenAt)}; the setting REGISTRATION (${setting}) does not count until "registration reset".`
}
