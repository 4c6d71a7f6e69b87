import { createHash } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { randomHexId, sessionSchema, type SessionReply, type SpaceId, spaceIdSchema } from '@t69/protocol'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { runProgram } from './cli/program.ts'
import { parseConfig } from './config.ts'
import { pathOfSpace } from './logs/space-path.ts'
import { createSqliteOpLogs } from './logs/sqlite-op-logs.ts'
import { createServer } from './server.ts'
import { cheapPasswords, password } from './testing/http-harness.ts'
import { appendTo, newEpoch, newUserId, opsFrom } from './testing/ops.ts'

/** A server in this process, and its command. */
async function startServer() {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-copies-'))
  const env = { DATA_DIR: dataDir, PORT: '0', REGISTRATION: 'open', LOG_LEVEL: 'silent' }
  const server = await createServer(parseConfig(env), { passwordCost: cheapPasswords })
  await server.listen()

  async function call(method: string, path: string, token?: string, body?: object) {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      method,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) }
  }

  async function t69(line: string, input: Uint8Array = new Uint8Array()) {
    const said = { code: 0, out: '', err: '', bytes: Buffer.alloc(0) }
    try {
      await runProgram(line.split(' '), {
        env: { DATA_DIR: dataDir },
        line: (text) => void (said.out += `${text}\n`),
        aside: (text) => void (said.err += `${text}\n`),
        confirm: undefined,
        readInput: async () => Buffer.from(input),
        writeBytes: async (bytes) => void (said.bytes = Buffer.concat([said.bytes, bytes])),
        isTerminal: false,
        run: async () => undefined,
        serve: async () => {},
        exitWith: (code) => void (said.code = code),
      })
    } catch (error) {
      said.code = 1
      said.err += String(error)
    }
    return said
  }

  return {
    dataDir,
    call,
    t69,
    async signUp(name: string): Promise<SessionReply> {
      const body = { email: `${name}@example.org`, password, name }
      return sessionSchema.parse((await call('POST', '/api/auth/register', undefined, body)).body)
    },
    close: () => server.close(),
    async [Symbol.asyncDispose]() {
      await server.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

type TestServer = Awaited<ReturnType<typeof startServer>>

/** A copy with another content, and a checksum that fits it. */
function forged(copy: Buffer, change: (rest: string) => string): Buffer {
  const [first = '', , ...rest] = copy.toString('latin1').split('\n')
  const changed = Buffer.from(change(rest.join('\n')), 'latin1')
  const digest = createHash('sha256').update(changed).digest('hex')
  return Buffer.concat([Buffer.from(`${first}\n${digest}\n`), changed])
}

const databaseOf = (copy: Buffer): Buffer => copy.subarray(copy.indexOf('SQLite format 3'))

/** A copy whose database is changed. */
function withDatabase(copy: Buffer, change: (db: Database.Database) => void): Buffer {
  const db = new Database(databaseOf(copy))
  change(db)
  const bytes = db.serialize()
  db.close()
  const [, , header = ''] = copy.toString('latin1').split('\n')
  return forged(copy, () => `${header}\n${bytes.toString('latin1')}`)
}

describe('a copy of a space', () => {
  let from: TestServer
  let to: TestServer
  let anna: SessionReply
  let ben: SessionReply
  let id: SpaceId
  let copy: Buffer
  /** By the export. */
  let said: { readonly code: number; readonly out: string; readonly err: string }

  beforeAll(async () => {
    from = await startServer()
    anna = await from.signUp('anna')
    ben = await from.signUp('ben')
    id = spaceIdSchema.parse(randomHexId())
    await from.call('POST', '/api/spaces', anna.accessToken, { id, name: 'Holiday\u001b[31m' })
    const invite = await from.call('POST', `/api/spaces/${id}/invites`, anna.accessToken, { role: 'editor' })
    const { token } = invite.body as { token: string }
    await from.call('POST', `/api/invites/${token}/accept`, ben.accessToken, {})
    // Written as the server writes it, and settled.
    await from.close()
    const log = createSqliteOpLogs({ dataDir: from.dataDir, synchronous: 'normal' }).open(id, newEpoch())
    appendTo(log, opsFrom(1, 2_000))
    log.append([{ userId: newUserId(), ops: opsFrom(2_001, 10) }], Date.now())
    while (log.isUnsettled) log.settle()
    log.close()
    const exported = await from.t69(`spaces export ${id}`)
    copy = exported.bytes
    said = exported
  })
  afterAll(() => from[Symbol.asyncDispose]())
  beforeEach(async () => {
    await using stack = new AsyncDisposableStack()
    to = stack.use(await startServer())
    const moved = stack.move()
    return () => moved.disposeAsync()
  })

  const isNothingChanged = async () => {
    const { out } = await to.t69('spaces list --json')
    return (
      (JSON.parse(out) as { total: number }).total === 0 &&
      !existsSync(pathOfSpace(to.dataDir, id)) &&
      readdirSync(join(to.dataDir, 'imports')).length === 0
    )
  }

  it('is taken over by a running server with its log, its identity and its members', async () => {
    expect(said).toMatchObject({ code: 0, out: '' })
    expect(said.err).toContain('“Holiday [31m” is copied, with 2010 operations')
    const there = await to.signUp('anna')
    const dry = await to.t69('spaces import - --by-email --dry-run', copy)
    expect(dry).toMatchObject({ code: 0, err: `On the running server in ${to.dataDir}.\n` })
    expect(dry.out).toMatch(/would import “Holiday .*” with 2010 operations, as [0-9a-f]{32}\./)
    expect(await isNothingChanged()).toBe(true)

    const { code, out } = await to.t69('spaces import - --by-email --json', copy)
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      id,
      operations: 2_010,
      isImported: true,
      members: [{ id: there.user.id, email: 'anna@example.org', role: 'owner' }],
      absent: [{ id: ben.user.id, email: 'ben@example.org', role: 'editor' }],
    })
    const before = JSON.parse((await from.t69(`spaces inspect ${id} --json`)).out) as object
    const after = JSON.parse((await to.t69(`spaces inspect ${id} --json`)).out) as object
    const same = ['identity', 'logId', 'operations', 'segments', 'trees', 'epochs', 'commits', 'damage']
    for (const part of same) expect(Reflect.get(after, part), part).toEqual(Reflect.get(before, part))
    const spaces = await to.call('GET', '/api/spaces', there.accessToken)
    expect(spaces.body).toMatchObject({
      spaces: [{ id, role: 'owner', identity: Reflect.get(before, 'identity') as string }],
    })
    expect(await to.t69(`spaces show ${id} --json`)).toMatchObject({
      out: expect.stringContaining('"action":"space imported"'),
    })
    const again = await to.t69('spaces import - --by-email', copy)
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('is here already') })
  })

  it('is taken over by a stopped server too, whose next start serves it', async () => {
    const there = await to.signUp('carla')
    await to.close()
    const imported = await to.t69(`spaces import - --owner carla@example.org`, copy)
    expect(imported).toMatchObject({ code: 0, err: `On the files in ${to.dataDir}; no server runs there.\n` })
    expect(imported.out).toMatch(/Members\n.*\ncarla@example\.org +carla +owner/)
    expect(imported.out).toMatch(/no account here\n.*\nanna@example\.org +anna +owner .*\nben@example\.org/)
    const next = await createServer(parseConfig({ DATA_DIR: to.dataDir, PORT: '0', LOG_LEVEL: 'silent' }))
    const read = await next.http.inject({
      url: `/api/spaces/${id}/members`,
      headers: { authorization: `Bearer ${there.accessToken}` },
    })
    expect(read.json()).toMatchObject({ members: [{ user: { id: there.user.id }, role: 'owner' }] })
    await next.close()
    const kept = JSON.parse((await to.t69(`spaces inspect ${id} --json`)).out) as { operations: number }
    expect(kept.operations).toBe(2_010)
    // Nothing was set aside.
    const files = readdirSync(dirname(pathOfSpace(to.dataDir, id)))
    expect(files.filter((name) => !/-(?:wal|shm)$/.test(name))).toEqual([`${id}.db`])
  })

  it('keeps its log also if the file is from before there were identities', async () => {
    await to.signUp('anna')
    const old = withDatabase(copy, (db) =>
      db.exec('update spaces set identity = null, access_id = null, access_seal = null'),
    )
    expect((await to.t69('spaces import - --by-email', old)).code).toBe(0)
    await to.close()
    const inspected = JSON.parse((await to.t69(`spaces inspect ${id} --json`)).out) as object
    // It was opened, and is known by the identity of its members.
    const identity = expect.stringMatching(/^[0-9a-f]{32}$/) as string
    expect(inspected).toMatchObject({ operations: 2_010, identity, damage: null })
  })

  it('is refused where nobody could enter, and for an account that is not there', async () => {
    await to.signUp('carla')
    const nobody = await to.t69('spaces import -', copy)
    expect(nobody).toMatchObject({ code: 1, err: expect.stringContaining('none of its owners') })
    const unknown = await to.t69('spaces import - --owner dora@example.org', copy)
    expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining('no account dora@example.org') })
    expect(await isNothingChanged()).toBe(true)
  })

  it('is refused where the space was deleted: such an id is never given out again', async () => {
    await to.signUp('anna')
    await to.t69('spaces import - --by-email', copy)
    await to.t69(`spaces delete ${id} --yes`)
    for (const line of ['spaces import - --by-email', 'spaces import - --by-email --dry-run']) {
      expect(await to.t69(line, copy)).toMatchObject({
        code: 1,
        err: expect.stringContaining('was deleted here'),
      })
    }
    expect(await isNothingChanged()).toBe(true)
  })

  it('writes over no file that the accounts have forgotten', async () => {
    await to.signUp('anna')
    const path = pathOfSpace(to.dataDir, id)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, 'what a device may miss')
    const { code, err } = await to.t69('spaces import - --by-email', copy)
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining(`move ${path} away first`) })
    expect(readFileSync(path, 'utf8')).toBe('what a device may miss')
  })

  it('is refused if it is no copy, not whole, damaged, of a newer program, or of two spaces', async () => {
    await to.signUp('anna')
    const flipped = Buffer.from(copy)
    flipped[copy.length - 5_000] = (flipped[copy.length - 5_000] ?? 0) ^ 1
    const refusals: readonly (readonly [string, Buffer, string])[] = [
      ['nothing', Buffer.alloc(0), 'no copy of a space'],
      ['the file itself', databaseOf(copy), 'no copy of a space'],
      ['the beginning', copy.subarray(0, copy.length - 1), 'damaged or incomplete'],
      ['a flipped bit', flipped, 'damaged or incomplete'],
      ['a copy with more behind it', Buffer.concat([copy, copy]), 'damaged or incomplete'],
      [
        'a newer format',
        Buffer.from(copy.toString('latin1').replace('t69 space 1', 't69 space 2'), 'latin1'),
        'newer t69',
      ],
      ['a newer file', withDatabase(copy, (db) => db.pragma('user_version = 99')), 'newer t69'],
      ['no header', forged(copy, () => 'x'), 'its header is wrong'],
      [
        'a missing row',
        withDatabase(copy, (db) => db.exec('delete from tree_ops where seq = 2005')),
        'are missing',
      ],
      [
        'a trigger',
        withDatabase(copy, (db) =>
          db.exec('create trigger later after insert on tree_ops begin delete from epochs; end'),
        ),
        'it has later',
      ],
      [
        'another space',
        forged(copy, (rest) => rest.replace(`"spaceId":"${id}"`, `"spaceId":"${randomHexId()}"`)),
        'another space',
      ],
      [
        'another identity',
        withDatabase(copy, (db) => db.exec(`update spaces set identity = '${randomHexId()}'`)),
        'another space',
      ],
    ]
    for (const [what, bytes, why] of refusals) {
      const refused = await to.t69('spaces import - --by-email', bytes)
      expect([what, refused.code, refused.err]).toEqual([what, 1, expect.stringContaining(why)])
    }
    const file = join(to.dataDir, 'missing.t69log')
    expect((await to.t69(`spaces import ${file}`)).err).toContain(`there is no ${file}`)
    const unreadable = `SyncError: it cannot read ${to.dataDir} (EISDIR: `
    expect((await to.t69(`spaces import ${to.dataDir}`)).err).toContain(unreadable)
    expect(existsSync(pathOfSpace(to.dataDir, id))).toBe(false)
  })

  it('removes what an import left behind that was killed, and only that', async () => {
    await to.signUp('anna')
    const folder = join(to.dataDir, 'imports')
    mkdirSync(folder)
    const [old, recent] = ['ab', 'cd'].map((byte) => join(folder, `${byte.repeat(16)}.db`)) as [
      string,
      string,
    ]
    for (const path of [old, recent]) writeFileSync(path, 'half of a file')
    utimesSync(old, new Date(0), new Date(0))
    expect((await to.t69('spaces import - --by-email', copy)).code).toBe(0)
    expect(readdirSync(folder)).toEqual([`${'cd'.repeat(16)}.db`])
  })

  it('is not written of a file that is damaged, nor of a space without one, nor to a terminal', async () => {
    const session = await to.signUp('anna')
    await to.call('POST', '/api/spaces', session.accessToken, { id, name: 'Holiday' })
    const path = pathOfSpace(to.dataDir, id)
    await to.close()
    rmSync(path, { force: true })
    const none = await to.t69(`spaces export ${id}`)
    expect(none).toMatchObject({ code: 1, err: expect.stringContaining(`there is no ${path}`) })
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, databaseOf(copy))
    const db = new Database(path)
    db.exec('delete from tree_ops where seq = 2005')
    db.close()
    const damaged = await to.t69(`spaces export ${id}`)
    expect(damaged).toMatchObject({ code: 1, err: expect.stringContaining('operations are missing') })
    expect(damaged.bytes).toHaveLength(0)
    const inspected = await to.t69(`spaces inspect ${id}`)
    expect(inspected).toMatchObject({ code: 1, out: expect.stringContaining('Damage: 1 of 2010 operations') })
    appendFileSync(path, 'more')
    expect((await to.t69(`spaces inspect ${randomHexId()}`)).err).toContain('there is no space')
  })

  it('is shown in words: trees, segments, who committed, and no bar where there is no terminal', async () => {
    const { code, out, err } = await from.t69(`spaces inspect ${id}`)
    expect({ code, err }).toEqual({
      code: 0,
      err: `On the files in ${from.dataDir}; no server runs there.\n`,
    })
    expect(out).toContain('Damage: none\n')
    expect(out).toMatch(/^Operations: 2010, of which 1\d+ are settled$/m)
    expect(out).toMatch(
      /^tree +operations +moves +deletes +properties +clock\ntree +2010 +0 +0 +2010 +2010$/m,
    )
    expect(out).toMatch(/^account +operations +first +last\n[0-9a-f]{32} +2000 /m)
    expect(out).toMatch(/^Processes that committed: 1$/m)
  })
})
