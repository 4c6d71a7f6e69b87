import { existsSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'

import { Command } from '@commander-js/extra-typings'
import { SyncError } from '@t69/protocol'

import type { Admin } from '../admin/admin-calls.ts'
import { type Config, parseConfig } from '../config.ts'
import { openFilesLimit, shareOpenFiles } from '../limits/open-files.ts'
import { createSmtpMailer } from '../mail/smtp-mailer.ts'
import { lookForFiles, removeSetAside } from '../platform/data-files.ts'
import { DamagedPlatformError } from '../platform/mend-platform.ts'
import { NoServerError } from '../platform/no-server-error.ts'
import { MailError } from '../ports/mailer.ts'
import { serverVersion } from '../ports/version.ts'
import { misspeltSettings } from '../settings.ts'
import { damageIn } from '../sqlite/damage.ts'
import { type CommandDeps, confirm, foundProblems, openAdmin } from './command-deps.ts'
import { jsonOption } from './list-options.ts'
import { counted, sizeText, tableOf, timeText } from './print.ts'
import { meanings } from './registration-commands.ts'

/** `bad` needs somebody, `warn` may. */
interface Finding {
  readonly what: string
  readonly state: 'ok' | 'warn' | 'bad'
  readonly details: string
}

/** Below this part of the disk, or that many bytes, it is nearly full. */
const littlePart = 0.05
const littleBytes = 1024 ** 3

/** `t69-server doctor`. */
export function doctorCommand(deps: CommandDeps): Command {
  return jsonOption(new Command('doctor'))
    .description('look for what is wrong with the server of DATA_DIR; ends with 1 if something is')
    .option('--fix', 'remove what is over: expired sessions and invites, and files that were set aside')
    .option('--dry-run', 'with --fix, only say what would be removed')
    .option('--yes', 'with --fix, do not ask before files are removed')
    .addHelpText('after', '\nExamples:\n  $ t69-server doctor\n  $ t69-server doctor --fix --dry-run')
    .action(async ({ fix, dryRun, yes, json }) => {
      const config = parseConfig(deps.env)
      // What is wrong may be the server itself, and then the rest is worth as much.
      const problems: Finding[] = []
      await using opened = await openAdmin(deps, config).catch((error: unknown) => {
        problems.push(unusable(error))
        return undefined
      })
      const findings = [
        ...settings(deps, config),
        ...(await directory(config)),
        ...problems,
        ...(opened === undefined ? [] : await accounts(opened.admin, config)),
        ...(opened === undefined ? [] : [await registration(opened.admin)]),
        await mailing(config),
        ...(await setAside(config)),
      ]
      if (json) deps.line(JSON.stringify({ dataDir: config.dataDir, findings }))
      else
        deps.line(
          tableOf(
            ['', 'what', ''],
            findings.map(({ what, state, details }) => [state, what, details]),
          ),
        )
      if (fix === true && opened === undefined)
        deps.aside('Nothing is removed while the server cannot be asked.')
      if (fix === true && opened !== undefined) await mend(deps, { admin: opened.admin, config, dryRun, yes })
      if (findings.some(({ state }) => state === 'bad')) deps.exitWith(foundProblems)
    })
}

/** Why the server can be asked nothing. Throws where there is none, and where this user may look at nothing. */
function unusable(error: unknown): Finding {
  if (!(error instanceof Error) || error instanceof NoServerError) throw error
  if (error instanceof SyncError && error.code === 'forbidden') throw error
  const what = error instanceof DamagedPlatformError ? 'accounts' : 'server'
  return { what, state: 'bad', details: error.message }
}

function settings({ env }: CommandDeps, config: Config): Finding[] {
  const misspelt = misspeltSettings(env).map(({ name, meant }): Finding => {
    return { what: 'settings', state: 'warn', details: `${name} is no setting. Did you mean ${meant}?` }
  })
  const isFar = config.publicUrl !== undefined && !/\/\/(?:localhost|127\.)/.test(config.publicUrl)
  const proxy: Finding[] =
    isFar && config.trustProxy === false
      ? [
          {
            what: 'settings',
            state: 'warn',
            details:
              'PUBLIC_URL is set and TRUST_PROXY is not: behind a proxy, everybody counts as one address',
          },
        ]
      : []
  const { spaces, limit, connections } = shareOpenFiles(openFilesLimit(), {
    maxOpenSpaces: config.maxOpenSpaces,
    threads: config.storageThreads,
  })
  const files: Finding = {
    what: 'open files',
    state: spaces < config.maxOpenSpaces ? 'warn' : 'ok',
    details: `${limit} here: ${spaces} spaces and ${connections} connections at once`,
  }
  const isBuilt = existsSync(join(config.staticDir, 'index.html'))
  const app: Finding = {
    what: 'app',
    state: isBuilt ? 'ok' : 'warn',
    details: isBuilt ? config.staticDir : `there is none in ${config.staticDir}: build it, or set STATIC_DIR`,
  }
  return [...misspelt, ...proxy, files, app]
}

async function directory({ dataDir }: Config): Promise<Finding[]> {
  const { mode, uid } = statSync(dataDir)
  const isOpen = (mode & 0o077) !== 0
  const isOthers = process.getuid !== undefined && process.getuid() !== uid
  const { bavail, blocks, bsize } = await statfs(dataDir)
  const isNearlyFull = bavail < blocks * littlePart || bavail * bsize < littleBytes
  const who = isOthers ? ', and belongs to another user than this command runs as' : ''
  return [
    {
      what: 'directory',
      state: isOpen || isOthers ? 'warn' : 'ok',
      details: `${dataDir} ${isOpen ? 'can be read by others' : 'is private'}${who}`,
    },
    {
      what: 'disk',
      state: isNearlyFull ? 'bad' : 'ok',
      details: `${sizeText(bavail * bsize)} free of ${sizeText(blocks * bsize)}`,
    },
  ]
}

async function accounts(admin: Admin, { dataDir }: Config): Promise<Finding[]> {
  const status = await admin.status({})
  const { running, version, users, admins, spaces, sessions, expiredSessions, expiredInvites } = status
  const path = join(dataDir, 'platform.sqlite')
  const damage = damageIn(path)
  const isOther = version !== serverVersion
  const over = expiredSessions + expiredInvites
  return [
    {
      what: 'server',
      state: isOther ? 'warn' : 'ok',
      details:
        running === null
          ? `does not run; this command is version ${serverVersion}`
          : `runs since ${timeText(running.startedAt)}, process ${running.pid}, version ${version}, ${running.connections} connections, ${running.openSpaces} open spaces`,
    },
    { what: 'accounts', state: damage === undefined ? 'ok' : 'bad', details: damage ?? `${path} is sound` },
    {
      what: 'accounts',
      state: users > 0 && admins === 0 ? 'warn' : 'ok',
      details: `accounts: ${users}, admins: ${admins}, spaces: ${spaces}, sessions: ${sessions}`,
    },
    { what: 'what is over', state: 'ok', details: `sessions and invites: ${over}, removed every hour` },
    {
      what: 'deleted spaces',
      state: status.pendingDeletions > 0 ? 'warn' : 'ok',
      details: `files still to be removed: ${status.pendingDeletions}`,
    },
  ]
}

async function registration(admin: Admin): Promise<Finding> {
  const { mode, setting, chosenAt } = await admin['registration show']({})
  const from = chosenAt === null ? 'the setting REGISTRATION' : `a command, not the setting (${setting})`
  return { what: 'registration', state: 'ok', details: `${mode}, by ${from}: ${meanings[mode]}` }
}

async function mailing({ mail }: Config): Promise<Finding> {
  if (mail === undefined) return { what: 'mail', state: 'ok', details: 'none is sent: SMTP_URL is not set' }
  const { host } = new URL(mail.smtpUrl)
  try {
    await createSmtpMailer(mail).verify()
    return { what: 'mail', state: 'ok', details: `${host} takes mail from ${mail.from}` }
  } catch (error) {
    if (!(error instanceof MailError)) throw error
    return { what: 'mail', state: 'bad', details: `${host}: ${error.message}` }
  }
}

async function setAside({ dataDir }: Config): Promise<Finding[]> {
  const { setAside: files } = await lookForFiles(dataDir)
  if (files.length === 0) return [{ what: 'set aside', state: 'ok', details: 'no files' }]
  return files.map(({ path, bytes }) => ({
    what: 'set aside',
    state: 'warn',
    details: `${path} (${sizeText(bytes)})`,
  }))
}

async function mend(
  deps: CommandDeps,
  given: {
    readonly admin: Admin
    readonly config: Config
    readonly dryRun: boolean | undefined
    readonly yes: boolean | undefined
  },
): Promise<void> {
  const { admin, config, dryRun, yes } = given
  const { setAside: files } = await lookForFiles(config.dataDir)
  const { expiredSessions, expiredInvites } = await admin.status({})
  const listed = files.map(({ path }) => `\n  ${path}`).join('')
  if (dryRun === true) {
    deps.aside(
      `This would remove what is over (sessions and invites: ${expiredSessions + expiredInvites}), and ${counted(files.length, 'file')} set aside.${listed}`,
    )
    return
  }
  const { removed } = await admin.tidy({})
  deps.aside(`Sessions and invites removed: ${removed}. Invites are kept for 30 days after their end.`)
  if (files.length === 0) return
  deps.aside(`Files that were set aside:${listed}`)
  await confirm(deps, `Remove ${counted(files.length, 'file')}? What only they hold is lost.`, yes)
  for (const file of files) await removeSetAside(file)
  deps.aside(`Removed ${counted(files.length, 'file')}.`)
}
