import { randomInt } from 'node:crypto'

import { Command, Option } from '@commander-js/extra-typings'

import type { Admin, AdminAnswer } from '../admin/admin-calls.ts'
import type { Config } from '../config.ts'
import { linkTo, type LinkPurpose, passwordLinkMail } from '../mail/mails.ts'
import { createSmtpMailer } from '../mail/smtp-mailer.ts'
import { MailError } from '../ports/mailer.ts'
import { type CommandDeps, confirm, withAdmin } from './command-deps.ts'
import { auditTable, jsonOption, pageOptions, restOf } from './list-options.ts'
import { counted, oneLine, tableOf, timeText } from './print.ts'

const who = 'the account, by e-mail address or id'

/** `t69-server users`. */
export function usersCommand(deps: CommandDeps): Command {
  const users = new Command('users').description('list, make, help and remove accounts')

  pageOptions(users.command('list'))
    .description('the accounts, the oldest first')
    .addHelpText(
      'after',
      '\nExamples:\n  $ t69-server users list\n  $ t69-server users list --search example.org --json',
    )
    .action(async ({ search, limit, offset, json }) =>
      withAdmin(deps, async (admin) => {
        const found = await admin['users list']({ search, limit, offset })
        if (json) return deps.line(JSON.stringify(found))
        deps.line(usersTable(found.users))
        restOf(deps, found.users.length, { offset, total: found.total }, 'accounts')
      }),
    )

  jsonOption(users.command('show <user>'))
    .description(`one account with its sessions, passkeys, spaces and what was done: ${who}`)
    .action(async (user, { json }) =>
      withAdmin(deps, async (admin) => {
        const found = await admin['users show']({ user })
        if (json) return deps.line(JSON.stringify(found))
        deps.line(usersTable([found]))
        deps.line('\nSessions')
        const sessions = found.sessionList.map((it) => [
          it.device === '' ? '–' : it.device,
          timeText(it.createdAt),
          timeText(it.lastUsedAt),
          it.id,
        ])
        deps.line(tableOf(['device', 'since', 'last used', 'id'], sessions))
        deps.line('\nPasskeys')
        const passkeys = found.passkeyList.map((it) => [
          it.name,
          timeText(it.createdAt),
          it.lastUsedAt === null ? '–' : timeText(it.lastUsedAt),
        ])
        deps.line(tableOf(['name', 'since', 'last used'], passkeys))
        deps.line('\nSpaces')
        deps.line(
          tableOf(
            ['id', 'role', 'name'],
            found.spaceList.map((it) => [it.id, it.role, it.name]),
          ),
        )
        deps.line('\nWhat was done')
        deps.line(auditTable(found.audit))
      }),
    )

  jsonOption(users.command('create <email>'))
    .description('make an account, with a password that is printed once')
    .option('--name <name>', 'the name that others see; the part of the address before the @ by default')
    .option('--admin', 'make it an admin')
    .addHelpText('after', '\nExample:\n  $ t69-server users create ben@example.org --name Ben')
    .action(async (email, { name = email.split('@')[0] ?? email, admin: isAdmin, json }) =>
      withAdmin(deps, async (admin) => {
        const password = newPassword()
        const made = await admin['users create']({ email, name, password })
        const user = isAdmin ? await admin['users set-role']({ user: made.id, role: 'admin' }) : made
        if (json) return deps.line(JSON.stringify({ ...user, password }))
        deps.line(`${user.email} has an account, as ${user.role}. The password is:\n\n  ${password}\n`)
        deps.line('It is shown only now. They can change it in t69.')
      }),
    )

  jsonOption(users.command('invite'))
    .description('print a link by which one person may sign up')
    .action(async ({ json }) => invite(deps, json))

  for (const [name, role, does] of [
    ['promote', 'admin', 'make an account an admin'],
    ['demote', 'member', 'make an admin a member again'],
  ] as const) {
    jsonOption(users.command(`${name} <user>`))
      .description(does)
      .action(async (user, { json }) =>
        withAdmin(deps, async (admin) => {
          const changed = await admin['users set-role']({ user, role })
          if (json) return deps.line(JSON.stringify(changed))
          deps.line(
            `${changed.email} is ${changed.isChanged ? 'now' : 'already'} ${role === 'admin' ? 'an admin' : 'a member'}.`,
          )
        }),
      )
  }

  jsonOption(users.command('reset-password <user>'))
    .description(
      'print a link by which its owner sets a new password: once, within a day; setting it signs the account out everywhere',
    )
    .option(
      '--new-password',
      'set a new password now instead, print it once, and sign the account out everywhere',
    )
    .addOption(
      new Option('--mail', 'send the link to the account’s address instead, good for an hour').conflicts(
        'newPassword',
      ),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  $ t69-server users reset-password ben@example.org\n  $ t69-server users reset-password ben@example.org --mail\n  $ t69-server users reset-password ben@example.org --new-password',
    )
    .action(async (user, { newPassword: isPrinted, mail, json }) =>
      withAdmin(deps, async (admin, config) => {
        if (mail === true) return mailLink(deps, { admin, config, user, json })
        if (isPrinted !== true) {
          const { email, token, expiresAt } = await admin['users password-link']({ user, byMail: false })
          const url = linkWith(config, 'set-password', token)
          if (json) return deps.line(JSON.stringify({ email, url, expiresAt }))
          deps.line(url)
          deps.line(
            `Pass it on to ${email}, who can set a new password with it once, until ${new Date(expiresAt).toISOString()}. Earlier links are void.`,
          )
          return
        }
        const password = newPassword()
        const { email, ended } = await admin['users reset-password']({ user, password })
        if (json) return deps.line(JSON.stringify({ email, ended, password }))
        deps.line(
          `${email} has a new password, and ${counted(ended, 'session')} ended. The password is:\n\n  ${password}\n`,
        )
        deps.line('It is shown only now. They can change it in t69.')
      }),
    )

  jsonOption(users.command('sign-out [user]'))
    .description('end all sessions of an account, or with --all of everybody')
    .option('--all', 'everybody: after the signing secret leaked, say')
    .action(async (user, { all, json }, command) => {
      if ((user === undefined) === (all !== true)) command.error('error: name an account, or say --all')
      return withAdmin(deps, async (admin) => {
        const done = await admin['users sign-out'](user === undefined ? {} : { user })
        if (json) return deps.line(JSON.stringify(done))
        deps.line(`${counted(done.ended, 'session')} of ${counted(done.users, 'account')} ended.`)
      })
    })

  jsonOption(users.command('delete <user>'))
    .description('delete an account for good, with the spaces that nobody else is in')
    .option('--dry-run', 'only say what would be deleted')
    .option('--yes', 'do not ask')
    .addHelpText('after', '\nExample:\n  $ t69-server users delete ben@example.org --dry-run')
    .action(async (user, { dryRun, yes, json }) =>
      withAdmin(deps, async (admin) => {
        const planned = await admin['users delete']({ user, dryRun: true })
        const names = planned.deletedSpaces.map(({ id, name }) => `\n  ${id}  ${oneLine(name)}`).join('')
        const what = `${planned.email} with ${counted(planned.deletedSpaces.length, 'space')} that nobody else is in${names}`
        if (dryRun !== true) {
          if (!json) deps.line(`This deletes ${what}`)
          await confirm(deps, 'Delete them?', yes)
          await admin['users delete']({ user: planned.id, dryRun: false })
        }
        if (json) return deps.line(JSON.stringify({ ...planned, isDeleted: dryRun !== true }))
        deps.line(dryRun ? `This would delete ${what}` : 'Deleted.')
      }),
    )

  return users
}

/** Sends an account's owner a link by which they set a new password. Throws `MailError`. */
async function mailLink(
  deps: CommandDeps,
  given: {
    readonly admin: Admin
    readonly config: Config
    readonly user: string
    readonly json: boolean | undefined
  },
): Promise<void> {
  const { mail } = given.config
  if (mail === undefined) throw new MailError('no mail is sent: set SMTP_URL, MAIL_FROM and PUBLIC_URL')
  const link = await given.admin['users password-link']({ user: given.user, byMail: true })
  const { email, expiresAt } = link
  await createSmtpMailer(mail).send(passwordLinkMail({ ...mail, email, token: link.token, language: 'en' }))
  if (given.json) return deps.line(JSON.stringify({ email, expiresAt }))
  deps.line(
    `A link was sent to ${email}, who can set a new password with it once, until ${new Date(expiresAt).toISOString()}.`,
  )
}

/** Prints a link by which one person may sign up. */
export async function invite(deps: CommandDeps, json: boolean | undefined): Promise<void> {
  return withAdmin(deps, async (admin, config) => {
    const { token, expiresAt } = await admin['users invite']({})
    const url = linkWith(config, 'sign-up', token)
    if (json) return deps.line(JSON.stringify({ url, expiresAt }))
    deps.line(url)
    deps.line(`One person may sign up with it, until ${new Date(expiresAt).toISOString()}.`)
  })
}

function linkWith({ publicUrl, port }: Config, does: LinkPurpose, token: string): string {
  return linkTo(publicUrl ?? `http://localhost:${port}`, does, token)
}

function usersTable(users: AdminAnswer<'users list'>['users']): string {
  const rows = users.map((user) => [
    user.email,
    user.name,
    user.role,
    String(user.spaces),
    String(user.sessions),
    timeText(user.lastUsedAt),
    timeText(user.createdAt),
    user.id,
  ])
  return tableOf(['email', 'name', 'role', 'spaces', 'sessions', 'last used', 'since', 'id'], rows)
}

/** Without letters that are taken for one another. */
const letters = 'abcdefghjkmnpqrstuvwxyz23456789'

/** A password to read out: four groups of five, 99 bits. */
function newPassword(): string {
  const group = () => Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join('')
  return Array.from({ length: 4 }, group).join('-')
}
