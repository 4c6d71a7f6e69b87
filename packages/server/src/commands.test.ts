import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer as createServerOfSockets } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { protocolVersion, randomHexId, sessionSchema, type SessionReply } from '@t69/protocol'
import Sqlite from 'better-sqlite3'
import { io } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { runProgram } from './cli/program.ts'
import { parseConfig } from './config.ts'
import { createSqliteOpLogs } from './logs/sqlite-op-logs.ts'
import { lockDataDir } from './platform/data-dir-lock.ts'
import { createServer, type Server } from './server.ts'
import { cheapPasswords, password } from './testing/http-harness.ts'
import { mailAccount, openMailbox } from './testing/mailbox.ts'
import { appendTo, newEpoch, opsFrom, spaceId } from './testing/ops.ts'

const hasSqlite = spawnSync('sqlite3', ['--version']).status === 0

let dataDir: string
let server: Server | undefined

/** Runs a command line, as the program does. `input` goes to the program that it runs, if any. */
async function t69(line: string, env: Record<string, string> = {}, input = '') {
  const said = { code: 0, out: '', err: '' }
  try {
    await runProgram(line.split(' '), {
      env: { DATA_DIR: dataDir, ...env },
      line: (text) => void (said.out += `${text}\n`),
      aside: (text) => void (said.err += `${text}\n`),
      confirm: undefined,
      readInput: async () => Buffer.from(input),
      writeBytes: undefined,
      isTerminal: false,
      run: async (program, args) => {
        const { status, stdout, stderr } = spawnSync(program, [...args], { input, encoding: 'utf8' })
        said.out += stdout
        said.err += stderr
        return status ?? undefined
      },
      serve: async () => void (said.out += 'serves\n'),
      exitWith: (code) => void (said.code = code),
    })
  } catch (error) {
    said.code = 1
    said.err += String(error)
  }
  return said
}

/** Runs a command that prints JSON. */
async function json(line: string): Promise<unknown> {
  const { code, out, err } = await t69(`${line} --json`)
  expect([line, code, err], line).toEqual([line, 0, expect.stringContaining(dataDir)])
  return JSON.parse(out)
}

async function startServer(): Promise<void> {
  const env = { DATA_DIR: dataDir, PORT: '0', REGISTRATION: 'open', LOG_LEVEL: 'silent' }
  server = await createServer(parseConfig(env), { passwordCost: cheapPasswords })
  await server.listen()
}

async function post(path: string, body: object, token?: string) {
  const headers = {
    'content-type': 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }
  return fetch(`http://127.0.0.1:${server?.port}${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  })
}

async function signUp(name: string): Promise<SessionReply> {
  const reply = await post('/api/auth/register', { email: `${name}@example.org`, password, name })
  return sessionSchema.parse(await reply.json())
}

/** Leaves a socket behind on which nobody listens, like a server that is killed. */
async function leaveSocket(path: string): Promise<void> {
  const listener = createServerOfSockets().listen(`${path}.new`)
  await once(listener, 'listening')
  renameSync(`${path}.new`, path)
  await new Promise((resolve) => listener.close(resolve))
}

describe('the command', () => {
  let anna: SessionReply
  let ben: SessionReply
  const shared = randomHexId()
  const own = randomHexId()

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 't69-commands-'))
    await startServer()
    anna = await signUp('anna')
    ben = await signUp('ben')
    await post('/api/spaces', { id: shared, name: 'Shared\u001b[31m' }, anna.accessToken)
    await post('/api/spaces', { id: own, name: 'Own' }, ben.accessToken)
    const invite = await post(`/api/spaces/${shared}/invites`, { role: 'editor' }, anna.accessToken)
    const { token } = (await invite.json()) as { token: string }
    await post(`/api/invites/${token}/accept`, {}, ben.accessToken)
  })
  afterAll(async () => {
    await server?.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  it('names what was probably meant, with code 2, and starts no server', async () => {
    for (const [line, meant] of [
      ['srve', 'serve'],
      ['users lst', 'list'],
      ['users list --serach x', '--search'],
    ] as const) {
      expect(await t69(line)).toMatchObject({
        code: 2,
        out: '',
        err: expect.stringContaining(`Did you mean ${meant}`),
      })
    }
    expect(await t69('serve now')).toMatchObject({ code: 2, out: '' })
    expect(await t69('serve')).toMatchObject({ code: 0, out: 'serves\n' })
    for (const wrong of ['users list --limit many', 'users list --limit 0', 'spaces list --limit 1001']) {
      const err = expect.stringContaining('It must be a whole number from 1 to 1000.')
      expect(await t69(wrong)).toMatchObject({ code: 2, out: '', err })
    }
    const help = await t69('users reset-password --help')
    expect(help).toMatchObject({ code: 0, out: expect.stringContaining('Examples:') })
  })

  it('lists and shows accounts and spaces of the running server, through a socket that is the owner’s alone', async () => {
    expect(statSync(join(dataDir, 'admin.sock')).mode & 0o777).toBe(0o600)
    const list = await t69('users list')
    expect(list).toMatchObject({ code: 0, err: `On the running server in ${dataDir}.\n` })
    expect(list.out).toMatch(
      /^email .*\nanna@example\.org +anna +admin +1 .*\nben@example\.org +ben +member +2 /,
    )
    expect(await json('users list --search BEN')).toMatchObject({ total: 1, users: [{ id: ben.user.id }] })
    expect(await json('users show ben@example.org')).toMatchObject({
      spaceList: [{ id: own }, { id: shared, role: 'editor' }],
      sessionList: [{ createdAt: expect.any(Number) }],
      audit: [
        { action: 'joined by an invite', by: 'ben@example.org', address: '127.0.0.1' },
        { action: 'account created' },
      ],
    })
    const spaces = await t69('spaces list')
    expect(spaces.out).toContain('Shared [31m')
    expect(await json(`spaces show ${shared}`)).toMatchObject({
      owner: 'anna@example.org',
      memberList: [{ role: 'owner' }, { role: 'editor' }],
    })
    expect(await t69('users show nobody@example.org')).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('there is no account nobody@example.org'),
    })
  })

  it('sends a link to somebody who forgot the password, and says what is wrong with the mail server', async () => {
    const line = 'users reset-password anna@example.org --mail'
    expect(await t69(line)).toMatchObject({ code: 1, err: expect.stringContaining('set SMTP_URL') })
    const settings = { MAIL_FROM: 't69@example.org', PUBLIC_URL: 'https://t69.example' }
    await using mailbox = await openMailbox()
    const mail = { ...settings, SMTP_URL: mailbox.url }
    const { code, out } = await t69(line, mail)
    const token = /https:\/\/t69\.example\/#set-password=([\w-]+)/.exec(mailbox.mails[0] ?? '')?.[1] ?? ''
    expect(out).toMatch(/^A link was sent to anna@example\.org, who can .* until 20/)
    expect([code, out.includes(token)]).toEqual([0, false])
    expect((await post('/api/auth/password-link/preview', { token })).status).toBe(200)
    expect((await t69('doctor', mail)).out).toMatch(/^ok +mail +127\.0\.0\.1:\d+ takes mail from t69@/m)

    await using refusing = await openMailbox('password')
    const refused = { ...settings, SMTP_URL: refusing.url }
    const why = 'the mail server refuses the name or the password (EAUTH 535)'
    expect(await t69(line, refused)).toMatchObject({ code: 1, err: expect.stringContaining(why) })
    const { code: found, out: findings } = await t69('doctor', refused)
    expect(findings).toMatch(/^bad +mail +127\.0\.0\.1:\d+: the mail server refuses/m)
    expect([found, findings.includes(mailAccount.pass)]).toEqual([1, false])
    expect((await t69('doctor')).out).toMatch(/^ok +mail +none is sent/m)
  })

  it('helps somebody who forgot the password, and cuts their sockets', async () => {
    const auth = { token: ben.accessToken, protocolVersion }
    const socket = io(`http://127.0.0.1:${server?.port}`, {
      auth,
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
    })
    await new Promise((resolve) => socket.once('connect', () => resolve(undefined)))
    const cut = new Promise((resolve) => socket.once('disconnect', resolve))
    const reset = (await json('users reset-password ben@example.org --new-password')) as {
      password: string
      ended: number
    }
    await cut
    expect(reset.ended).toBe(1)
    expect((await post('/api/auth/login', { email: 'ben@example.org', password })).status).toBe(401)
    const again = await post('/api/auth/login', { email: 'ben@example.org', password: reset.password })
    expect(again.status).toBe(200)
    expect(await json('users sign-out ben@example.org')).toEqual({ users: 1, ended: 1 })
    expect(await json('users show ben@example.org')).toMatchObject({
      audit: [
        { action: 'signed out everywhere', by: 'command' },
        { action: 'password reset', by: 'command' },
        {},
        {},
      ],
    })
  })

  it('prints a link by which somebody sets a new password, once, and no earlier one is good any more', async () => {
    const earlier = (await json('users reset-password ben@example.org')) as { url: string }
    const printed = await t69('users reset-password ben@example.org', {
      PUBLIC_URL: 'https://t69.example.org',
    })
    expect(printed.out).toMatch(
      /^https:\/\/t69\.example\.org\/#set-password=[\w-]{43}\nPass it on to ben@example\.org, .* until 20/,
    )
    const tokenOf = (text: string) => /#set-password=([\w-]+)/.exec(text)?.[1]
    const set = async (token: string | undefined) =>
      (await post('/api/auth/password-link', { token, newPassword: 'by the link' })).status
    expect(await set(tokenOf(earlier.url))).toBe(410)
    expect(await set(tokenOf(printed.out))).toBe(200)
    expect(
      (await post('/api/auth/login', { email: 'ben@example.org', password: 'by the link' })).status,
    ).toBe(200)
    expect(await json('users show ben@example.org')).toMatchObject({
      sessionList: [{ device: 'node' }, { device: 'node' }],
      audit: [
        { action: 'password set by a link', by: 'ben@example.org' },
        { action: 'link to set a password made', by: 'command' },
        { action: 'link to set a password made', by: 'command' },
        {},
        {},
        {},
        {},
      ],
    })
    const { out } = await t69('users show ben@example.org')
    expect(out).toMatch(/device +since +last used +id\nnode /)
    expect(out).toMatch(/Passkeys\nname +since +last used\n\nSpaces/)
  })

  it('shows the passkeys of an account, and resetting its password removes them', async () => {
    const { id } = (await json('users show ben@example.org')) as { id: string }
    const db = new Sqlite(join(dataDir, 'platform.sqlite'))
    db.prepare(`insert into passkeys values ('k', ?, 't69.example.org', x'00', 0, 'Phone', 1, null)`).run(id)
    db.close()
    expect(await json('users show ben@example.org')).toMatchObject({
      passkeyList: [{ name: 'Phone', createdAt: 1, lastUsedAt: null }],
    })
    expect((await t69('users show ben@example.org')).out).toMatch(/\nPhone +1970-\S+ \S+ +–\n/)
    await json('users reset-password ben@example.org --new-password')
    expect(await json('users show ben@example.org')).toMatchObject({ passkeyList: [] })
  })

  it('closes and opens the door of the running server at once, and says which setting does not count', async () => {
    const mode = async () =>
      (
        (await (await fetch(`http://127.0.0.1:${server?.port}/api/auth/registration`)).json()) as {
          mode: string
        }
      ).mode
    const signUpStatus = async (name: string) =>
      (await post('/api/auth/register', { email: `${name}@example.org`, password, name })).status
    // The server's, not the command's: the command has none.
    expect(await json('registration show')).toMatchObject({ mode: 'open', setting: 'open', chosenAt: null })
    expect((await t69('registration show')).out).toContain(
      'Registration is open: anyone may sign up. The setting REGISTRATION says so.',
    )
    expect(await json('registration closed')).toMatchObject({ mode: 'closed', setting: 'open' })
    expect([await mode(), await signUpStatus('dora')]).toEqual(['closed', 403])
    expect((await t69('registration closed')).out).toMatch(
      /^Registration is closed: nobody may sign up\. A command has said so since 20.* \(open\) does not count until/,
    )
    expect((await t69('doctor')).out).toMatch(
      /ok +registration +closed, by a command, not the setting \(open\): nobody may sign up/,
    )
    expect((await t69('config print')).out).toMatch(/REGISTRATION +closed +command\n/)
    expect((await json('registration invite')) as object).toMatchObject({ mode: 'invite' })
    expect([await mode(), await signUpStatus('dora')]).toEqual(['invite', 403])
    expect(await json('registration reset')).toEqual({ mode: 'open', setting: 'open', chosenAt: null })
    expect(await mode()).toBe('open')
    expect((await t69('config print')).out).toMatch(/REGISTRATION +invite +default\n/)
    const { audit } = (await json('registration show')) as { audit: { action: string; by: string }[] }
    expect(audit.map(({ action, by }) => [action, by])).toEqual(
      ['registration by the setting', 'registration by invite', 'registration closed'].map((it) => [
        it,
        'command',
      ]),
    )
    expect(await t69('registration open now')).toMatchObject({ code: 2, out: '' })
    expect(await t69('registration close')).toMatchObject({
      code: 2,
      err: expect.stringContaining('Did you mean closed'),
    })
  })

  it('makes admins, and leaves one', async () => {
    expect(await t69('users demote anna@example.org')).toMatchObject({
      code: 1,
      err: expect.stringContaining('the last admin'),
    })
    expect(await json('users promote ben@example.org')).toMatchObject({ role: 'admin', isChanged: true })
    expect(await json('users demote ben@example.org')).toMatchObject({ role: 'member', isChanged: true })
  })

  it('says what a deletion would remove, and removes it only when it is told to', async () => {
    const dry = await t69('users delete ben@example.org --dry-run')
    expect(dry.out).toContain(
      `This would delete ben@example.org with 1 space that nobody else is in\n  ${own}  Own`,
    )
    expect(await t69('users delete ben@example.org')).toMatchObject({
      code: 1,
      err: expect.stringContaining('--yes'),
    })
    expect(await json('users list')).toMatchObject({ total: 2 })
    expect((await t69('users delete ben@example.org --yes')).code).toBe(0)
    expect(await json('users list')).toMatchObject({ total: 1 })
    expect(await json('spaces list')).toMatchObject({ total: 1 })
    expect(await json(`spaces delete ${shared} --dry-run`)).toMatchObject({ id: shared, isDeleted: false })
    const other = new Sqlite(join(dataDir, 'platform.sqlite'))
    other.exec('begin immediate')
    expect(await t69(`spaces delete ${shared} --yes`)).toMatchObject({
      code: 1,
      err: expect.stringContaining('the server cannot use its storage: database is locked'),
    })
    other.close()
    expect(await json(`spaces delete ${shared} --yes`)).toMatchObject({ id: shared, isDeleted: true })
    expect(await json('spaces list')).toEqual({ total: 0, spaces: [] })
  })

  it.skipIf(!hasSqlite)('opens the right database in sqlite3, for reading (needs sqlite3)', async () => {
    const path = join(dataDir, 'platform.sqlite')
    expect((await t69('db path')).out).toBe(`${path}\n`)
    const count = await t69('db open', {}, 'select email from users;')
    expect(count).toMatchObject({ code: 0, out: 'anna@example.org\n' })
    const write = await t69('db open', {}, 'delete from users;')
    expect(write).toMatchObject({ code: 1, err: expect.stringContaining('readonly') })
    expect(await t69('db open --write', {}, 'delete from users;')).toMatchObject({
      code: 1,
      err: expect.stringContaining('a server runs'),
    })
    expect(await json('users list')).toMatchObject({ total: 1 })
  })

  it('prints the operations of a space, settled ones too', async () => {
    const log = createSqliteOpLogs({ dataDir, synchronous: 'normal' }).open(spaceId, newEpoch())
    appendTo(log, opsFrom(1, 2_000))
    while (log.isUnsettled) log.settle()
    log.close()
    const { code, out } = await t69(`db ops ${spaceId}`)
    const printed = out
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
    expect(code).toBe(0)
    expect(printed).toHaveLength(2_000)
    expect(printed[0]).toMatchObject({ seq: 1, isSettled: true, clock: 1 })
    expect(printed.at(-1)).toMatchObject({ seq: 2_000, isSettled: false, clock: 2_000 })
    expect(await t69(`db ops ${'0'.repeat(32)}`)).toMatchObject({ code: 1, out: '' })
  })

  it('works on the files of a stopped server, also of one that was killed, under the lock of the directory', async () => {
    await server?.close()
    expect(readdirSync(dataDir)).not.toContain('admin.sock')
    await leaveSocket(join(dataDir, 'admin.sock'))
    const made = await t69('users create cleo@example.org --name Cleo --json')
    expect(made).toMatchObject({ code: 0, err: `On the files in ${dataDir}; no server runs there.\n` })
    const created = JSON.parse(made.out) as { password: string }
    await startServer()
    const login = await post('/api/auth/login', { email: 'cleo@example.org', password: created.password })
    expect(login.status).toBe(200)
    await server?.close()
    expect(await json('users sign-out --all')).toEqual({ users: 2, ended: 2 })
    // Chosen for a stopped server, it counts from its start, whatever the setting says.
    expect(await json('registration closed')).toMatchObject({ mode: 'closed', setting: 'invite' })
    await startServer()
    expect((await post('/api/auth/register', { email: 'd@example.org', password, name: 'D' })).status).toBe(
      403,
    )
    expect(await json('registration reset')).toMatchObject({ mode: 'open' })
    await server?.close()
  })

  it('says what is wrong, and mends it when it is told to', async () => {
    const aside = join(dataDir, 'ab', `${'ab'.repeat(16)}.db.corrupt-2026-01-01T00-00-00.000Z`)
    mkdirSync(join(dataDir, 'ab'), { recursive: true })
    writeFileSync(aside, 'what devices have had since')
    const found = await t69('doctor', { DATADIR: '/srv', PUBLIC_URL: 'https://t69.example.org' })
    expect(found.out).toMatch(/warn +settings +DATADIR is no setting. Did you mean DATA_DIR\?\n/)
    expect(found.out).toContain(aside)
    expect(found.code).toBe(0)
    const dry = await t69('doctor --fix --dry-run')
    expect(dry.err).toContain('and 1 file set aside')
    expect((await t69('doctor --fix')).code).toBe(1)
    expect(existsSync(aside)).toBe(true)
    expect((await t69('doctor --fix --yes')).code).toBe(0)
    expect(existsSync(aside)).toBe(false)
    expect(await t69('db check --all')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Sound: (\d+) of \1 databases/m),
    })
    writeFileSync(
      join(dataDir, 'ab', `${'ab'.repeat(16)}.db`),
      'this is no database, but long enough to be looked at',
    )
    expect(await t69('db check --all')).toMatchObject({
      code: 1,
      out: expect.stringMatching(/ab\.db: .*\nSound: \d+ of \d+ databases/),
    })
  })

  it('says of what is over only what it would remove now', async () => {
    for (const line of ['users invite', 'users invite', 'users reset-password anna@example.org']) {
      expect((await t69(line)).code).toBe(0)
    }
    const dayMs = 24 * 60 * 60 * 1000
    const db = new Sqlite(join(dataDir, 'platform.sqlite'))
    for (const table of ['server_invites', 'password_links']) {
      db.prepare(`update ${table} set expires_at = ?`).run(Date.now() - 29 * dayMs)
    }
    const endLongAgo =
      'update server_invites set expires_at = ? where rowid = (select max(rowid) from server_invites)'
    db.prepare(endLongAgo).run(Date.now() - 31 * dayMs)
    db.close()
    expect((await t69('doctor')).out).toMatch(/ sessions and invites: 1, removed every hour$/m)
    expect((await t69('doctor --fix --dry-run')).err).toContain('(sessions and invites: 1)')
    expect((await t69('doctor --fix')).err).toContain('Sessions and invites removed: 1.')
    expect((await t69('doctor --fix --dry-run')).err).toContain('(sessions and invites: 0)')
    expect((await t69('doctor --fix')).err).toContain('Sessions and invites removed: 0.')
  })

  it('is all in docs/operations.md, which names no other', async () => {
    const operations = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')
    const listed = new Set(
      [...operations.matchAll(/^\| (?:`t69-server`, )?`t69-server ([a-z -]+?)(?: [A-Z]+)?`/gm)].map(
        ([, name]) => name,
      ),
    )
    const namesIn = async (group: string) => {
      const { out } = await t69(`${group} --help`.trim())
      const commands = out.slice(out.indexOf('Commands:'), out.indexOf('\n\n', out.indexOf('Commands:')))
      return [...commands.matchAll(/^ {2}([a-z][a-z-]*)/gm)]
        .map(([, name = '']) => name)
        .filter((name) => name !== 'help')
    }
    const groups = ['users', 'registration', 'spaces', 'db', 'config']
    const all = new Set((await namesIn('')).filter((name) => name !== 'invite' && !groups.includes(name)))
    for (const group of groups) for (const name of await namesIn(group)) all.add(`${group} ${name}`)
    expect(listed).toEqual(all)
    const inBlocks = [...operations.matchAll(/^ *(?:docker compose exec t69 )?t69-server (.*)$/gm)].map(
      ([, line = '']) => line,
    )
    expect(inBlocks.length).toBeGreaterThan(8)
    for (const line of inBlocks) expect([line, (await t69(`${line} --help`)).code]).toEqual([line, 0])
  })

  it('says of a server that listens to no commands yet that it is there, and changes nothing', async () => {
    const lock = lockDataDir(dataDir)
    const { code, err } = await t69('users list')
    lock.release()
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringContaining('takes no commands at the moment'),
    })
    expect(err).toContain(dataDir)
  })

  it('looks at everything else where the accounts cannot be used, and says what is damaged in one line', async () => {
    const path = join(dataDir, 'platform.sqlite')
    const sound = readFileSync(path)
    writeFileSync(path, Buffer.from(sound).fill(0xff, 4096, 8192))
    const { code, out, err } = await t69('doctor --fix --yes')
    writeFileSync(path, sound)
    expect(err).toContain('Nothing is removed')
    expect(code).toBe(1)
    expect(out).toMatch(/^bad +accounts +\S+platform\.sqlite is damaged \(.+\): restore it from a backup$/m)
    expect(out).toMatch(/^ok +disk /m)
    expect(out).toMatch(/ set aside +no files$/m)
  })

  it('works in no other directory than the one that it names', async () => {
    // Longer than the path of a socket may be.
    const other = join(dataDir, 'other'.repeat(20))
    const { code, err } = await t69('users list', { DATA_DIR: other })
    expect({ code, err }).toEqual({ code: 1, err: `NoServerError: no server has run in ${other} yet` })
    expect(existsSync(other)).toBe(false)
  })
})
