import { Command } from '@commander-js/extra-typings'
import { messageOf, type RegistrationMode } from '@t69/protocol'

import { parseConfig } from '../config.ts'
import { NoServerError } from '../platform/no-server-error.ts'
import { misspeltSettings, type Setting, settingsOf } from '../settings.ts'
import { type CommandDeps, withAdmin } from './command-deps.ts'
import { jsonOption } from './list-options.ts'
import { tableOf } from './print.ts'

/** A setting, or what a command has chosen in its place. */
type Shown = Omit<Setting, 'from'> & { readonly from: Setting['from'] | 'command' }

/** `t69-server config`. */
export function configCommand(deps: CommandDeps): Command {
  const config = new Command('config').description('look at the settings')
  jsonOption(config.command('print'))
    .description(
      'every setting with its value, and whether that is from the environment, or REGISTRATION from a command; secrets are not shown',
    )
    .action(async ({ json }) => {
      const { dataDir } = parseConfig(deps.env)
      const chosen = await chosenRegistration(deps)
      const settings = settingsOf(deps.env).map((setting): Shown => {
        const isChosen = setting.name === 'REGISTRATION' && chosen !== undefined
        return isChosen ? { ...setting, value: chosen, from: 'command' } : setting
      })
      const misspelt = misspeltSettings(deps.env)
      if (json) return deps.line(JSON.stringify({ dataDir, settings, misspelt }))
      const rows = settings.map(({ name, value, from }) => [name, value === '' ? '–' : value, from])
      deps.line(tableOf(['setting', 'value', 'from'], rows))
      deps.line(`\nThe data is in ${dataDir}.`)
      for (const { name, meant } of misspelt) deps.aside(`${name} is no setting. Did you mean ${meant}?`)
    })
  return config
}

/** Who may sign up, if a command has chosen it. The settings are printed in any case. */
async function chosenRegistration(deps: CommandDeps): Promise<RegistrationMode | undefined> {
  let chosen: RegistrationMode | undefined
  try {
    await withAdmin({ env: deps.env, aside: () => {} }, async (admin) => {
      const { mode, chosenAt } = await admin['registration show']({})
      if (chosenAt !== null) chosen = mode
    })
  } catch (error) {
    if (error instanceof NoServerError) return undefined
    deps.aside(`Whether a command has chosen REGISTRATION cannot be read: ${messageOf(error)}.`)
  }
  return chosen
}
