import { Command, CommanderError } from '@commander-js/extra-typings'

import { parseConfig } from '../config.ts'
import { serverVersion } from '../ports/version.ts'
import type { CommandDeps } from './command-deps.ts'
import { configCommand } from './config-command.ts'
import { dbCommand } from './db-commands.ts'
import { doctorCommand } from './doctor-command.ts'
import { jsonOption } from './list-options.ts'
import { registrationCommand } from './registration-commands.ts'
import { spacesCommand } from './spaces-commands.ts'
import { invite, usersCommand } from './users-commands.ts'

/** The exit code for a command line that nobody understands. */
export const wrongUsage = 2

const examples = `
The settings are environment variables, for every command as for the server: DATA_DIR says which server is meant.
A command works on the running server, through a socket in that directory, or on the files of a stopped one. It says which.

Examples:
  $ t69-server                                    start the server
  $ t69-server users list                         who is here
  $ t69-server users reset-password ben@example.org
  $ t69-server registration closed                nobody may sign up from now on
  $ t69-server spaces show 0123456789abcdef0123456789abcdef
  $ t69-server db open                            the accounts, in the shell of sqlite3
  $ t69-server doctor                             what is wrong

It ends with 0 if all is well, with 1 if something failed or a check found something, and with 2 for a wrong command line.`

/**
 * Runs a command line, without the names of Node and the program. Without any, the server starts; with one that is mistyped
 * never. Rejects with what the command throws.
 */
export async function runProgram(args: readonly string[], deps: CommandDeps): Promise<void> {
  const program = new Command('t69-server')
    .description('The server of t69 sync. Without a command, it starts.')
    .version(serverVersion, '--version', 'print the version')
    .addHelpText('after', examples)
  const serve = program.command('serve').description('start the server; the same as no command')
  serve.action(() => deps.serve(parseConfig(deps.env)))
  program.addCommand(doctorCommand(deps))
  program.addCommand(usersCommand(deps))
  program.addCommand(registrationCommand(deps))
  program.addCommand(spacesCommand(deps))
  program.addCommand(dbCommand(deps))
  program.addCommand(configCommand(deps))
  jsonOption(program.command('invite'))
    .description('the same as users invite')
    .action(({ json }) => invite(deps, json))
  jsonOption(program.command('version'))
    .description('print the version')
    .action(({ json }) => deps.line(json ? JSON.stringify({ version: serverVersion }) : serverVersion))

  for (const command of [program, ...below(program)]) {
    command
      .exitOverride()
      .showHelpAfterError('(say --help to see what there is)')
      .configureOutput({
        writeOut: (text) => deps.line(text.trimEnd()),
        writeErr: (text) => deps.aside(text.trimEnd()),
      })
  }
  try {
    await program.parseAsync(args.length === 0 ? ['serve'] : [...args], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // Commander has said what is wrong. Whoever asked for help has got it.
    deps.exitWith(error.exitCode === 0 ? 0 : wrongUsage)
  }
}

function below(command: Pick<Command, 'commands'>): readonly Command[] {
  return command.commands.flatMap((sub) => [sub as Command, ...below(sub)])
}
