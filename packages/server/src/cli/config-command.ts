import { Command } from '@commander-js/extra-typings'

import { parseConfig } from '../config.ts'
import { misspeltSettings, settingsOf } from '../settings.ts'
import type { CommandDeps } from './command-deps.ts'
import { jsonOption } from './list-options.ts'
import { tableOf } from './print.ts'

/** `t69-server config`. */
export function configCommand(deps: CommandDeps): Command {
  const config = new Command('config').description('look at the settings')
  jsonOption(config.command('print'))
    .description(
      'every setting with its value, and whether that is from the environment; secrets are not shown',
    )
    .action(({ json }) => {
      const { dataDir } = parseConfig(deps.env)
      const settings = settingsOf(deps.env)
      const misspelt = misspeltSettings(deps.env)
      if (json) return deps.line(JSON.stringify({ dataDir, settings, misspelt }))
      const rows = settings.map(({ name, value, from }) => [name, value === '' ? '–' : value, from])
      deps.line(tableOf(['setting', 'value', 'from'], rows))
      deps.line(`\nThe data is in ${dataDir}.`)
      for (const { name, meant } of misspelt) deps.aside(`${name} is no setting. Did you mean ${meant}?`)
    })
  return config
}
