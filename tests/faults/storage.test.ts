import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import type { TreeOperation } from '@t69/protocol'
import type { Space, SyncClient } from '@t69/sync-client'
import { describe, expect, it } from 'vitest'

import { type ServerProcess, type ServerProcessOptions, startServer } from '../lib/server-process.ts'
import { agreed, childNames, createFleet, type Fleet, live, roomyLimits, until } from './fleet.ts'
import { backUp, idAndContent, readOps, spaceFile } from './space-file.ts'

const works = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0
const canLimit = works('prlimit', '--version')
const canMount = works('unshare', '-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt')
// File permissions do not apply to root, which has to drop that right first.
const isRoot = process.getuid?.() === 0
const withoutPrivilege = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search', '--']
const canDrop = !isRoot || works('setpriv', ...withoutPrivilege.slice(1), 'true')

interface World extends AsyncDisposable {
  readonly server: ServerProcess
  readonly fleet: Fleet
  readonly laptop: SyncClient
  /** The space that the fault affects, on two devices, and its file. */
  readonly here: Space
  readonly there: Space
  readonly file: string
  /** Another space, which the fault must not affect. */
  readonly other: Space
}

async function createWorld(options: ServerProcessOptions = {}): Promise<World> {
  const server = await startServer({ env: roomyLimits, ...options })
  const fleet = await createFleet(server.url)
  const laptop = await fleet.device()
  const phone = await fleet.device()
  const here = await laptop.createSpace({ name: 'Harmed' })
  const file = spaceFile(server.dataDir, here.id)
  const other = await createElsewhere(laptop, server, dirname(file))
  await Promise.all([here.flushed(), other.flushed()])
  const there = await phone.openSpace(here.id)
  await live(there)
  here.root.root?.newNamedChild('before')
  await agreed([here, there])
  return {
    server,
    fleet,
    laptop,
    here,
    there,
    other,
    file,
    async [Symbol.asyncDispose]() {
      await fleet[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** Creates a space whose file is not in `folder`, where the fault may affect every file. One in 256 would be there. */
async function createElsewhere(device: SyncClient, server: ServerProcess, folder: string): Promise<Space> {
  for (;;) {
    const space = await device.createSpace({ name: 'Other' })
    if (dirname(spaceFile(server.dataDir, space.id)) !== folder) return space
  }
}

/** Checks that an edit is refused with a reason and kept, that the other space works, and that the log names the file. */
async function refused({ here, other, server, file }: World, name: string, expected: RegExp): Promise<void> {
  here.root.root?.newNamedChild(name)
  await until(here, ({ error, pending }) => error?.code === 'storage_failed' && pending > 0)
  other.root.root?.newNamedChild(name)
  await other.flushed()
  const line = await logged(server, (text) => text.includes(here.id) && expected.test(text))
  expect(line).toContain(file)
}

/** Waits for a line of the server's log, which may arrive later than its answers. */
async function logged(server: World['server'], isIt: (line: string) => boolean): Promise<string> {
  const find = () => server.log().split('\n').find(isIt)
  await expect.poll(find).toBeDefined()
  return find() ?? ''
}

const isIn = (contents: Map<string, string>, op: TreeOperation): boolean => {
  const [id, content] = idAndContent(op)
  return contents.get(id) === content
}

/** Checks that the clients deliver the edits once the fault is fixed, without being restarted. */
async function delivered({ here, there }: World, ...names: string[]): Promise<void> {
  await agreed([here, there])
  for (const space of [here, there])
    expect(childNames(space)).toEqual(expect.arrayContaining(['before', ...names]))
}

describe('a full disk', () => {
  it.skipIf(!canLimit)(
    'a file that cannot grow makes its space wait, and no other (needs prlimit)',
    async () => {
      await using world = await createWorld()
      const { server, here } = world
      const limit = (size: string) =>
        expect(works('prlimit', '--pid', String(server.pid), `--fsize=${size}:`)).toBe(true)
      here.root.root?.newNamedChild('large').setProperty('text', 'x'.repeat(300_000))
      await here.flushed()
      limit('200000')
      await refused(world, 'too much', /disk I\/O error|disk is full/)
      limit('unlimited')
      await delivered(world, 'too much', 'large')
    },
  )

  it.skipIf(!canMount)(
    'while the disk is full, edits stay on the devices, which deliver them later (needs unshare)',
    async () => {
      const mount =
        'mount -t tmpfs -o size=3m none "$DATA_DIR" && head -c 1500000 /dev/zero > "$DATA_DIR/ballast" && exec "$@"'
      await using world = await createWorld({ through: ['unshare', '-rm', 'sh', '-c', mount, 'sh'] })
      const { server, here, there } = world
      here.root.root?.newNamedChild('large').setProperty('text', 'x'.repeat(400_000))
      here.root.root?.newNamedChild('larger').setProperty('text', 'y'.repeat(500_000))
      here.root.root?.newNamedChild('largest').setProperty('text', 'z'.repeat(500_000))
      await until(here, ({ error, pending }) => error?.code === 'storage_failed' && pending > 0)
      expect(await logged(server, (text) => text.includes('database or disk is full'))).toContain(here.id)
      await until(there, ({ phase }) => phase === 'live')
      rmSync(`/proc/${server.pid}/root${server.dataDir}/ballast`)
      await delivered(world, 'large', 'larger', 'largest')
    },
  )
})

it.skipIf(!canDrop)('a read-only file can be read, and accepts the edits once it is writable', async () => {
  await using world = await createWorld(isRoot ? { through: withoutPrivilege } : {})
  const { server, file } = world
  await server.stop()
  chmodSync(file, 0o444)
  chmodSync(dirname(file), 0o555)
  const before = readFileSync(file)
  try {
    await server.start()
    await refused(world, 'read-only', /readonly database/)
    expect(readFileSync(file)).toEqual(before)
  } finally {
    chmodSync(dirname(file), 0o755)
    chmodSync(file, 0o644)
  }
  await delivered(world, 'read-only')
})

it.skipIf(!canDrop)(
  'a file that was read-only while its server started accepts the edits after a restart',
  async () => {
    await using world = await createWorld(isRoot ? { through: withoutPrivilege } : {})
    const { server, file, here, there } = world
    await server.stop()
    // SQLite makes the files beside it as read-only as it is.
    chmodSync(file, 0o444)
    await server.start()
    await refused(world, 'read-only', /readonly database/)
    await server.kill()
    chmodSync(file, 0o644)
    await server.start()
    await Promise.all([live(here), live(there)])
    await delivered(world, 'read-only')
    expect(here.status.error).toBeNull()
  },
)

it('a file written by a newer version is left alone, and used again once the versions match', async () => {
  await using world = await createWorld()
  const { server, file } = world
  const versionOf = (): number => {
    const db = new DatabaseSync(file, { readOnly: true })
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
    db.close()
    return version
  }
  const setVersion = (version: number): void => {
    const db = new DatabaseSync(file)
    db.exec(`PRAGMA user_version = ${version}`)
    db.close()
  }
  await server.stop()
  const current = versionOf()
  setVersion(99)
  const before = readFileSync(file)
  await server.start()
  await refused(world, 'newer', /version 99/)
  expect(readFileSync(file)).toEqual(before)
  setVersion(current)
  await delivered(world, 'newer')
})

describe('a lost file', () => {
  const harms: [what: string, harm: (file: string) => void, aside: RegExp | undefined][] = [
    [
      'no longer a database',
      (file) => writeFileSync(file, 'no database at all '.repeat(1_000)),
      /\.db\.corrupt-[^/]*Z$/,
    ],
    ['truncated', (file) => truncateSync(file, 8_192), /\.db\.corrupt-[^/]*Z$/],
    [
      'overwritten in the middle',
      (file) => {
        const bytes = readFileSync(file)
        bytes.fill(0xff, 4_096, bytes.length - 4_096)
        writeFileSync(file, bytes)
      },
      /\.db\.corrupt-[^/]*Z$/,
    ],
    ['missing', (file) => rmSync(file), undefined],
    ['empty', (file) => truncateSync(file), undefined],
  ]

  it.each(harms)(
    'a file that is %s is filled again by the devices, and nothing is deleted',
    async (_, harm, aside) => {
      await using world = await createWorld()
      const { server, here, there, other, file } = world
      for (let index = 0; index < 200; index++) here.root.root?.newNamedChild(`${index}`)
      await agreed([here, there])
      await server.stop()
      harm(file)
      const damaged = existsSync(file) ? readFileSync(file) : undefined
      here.root.root?.newNamedChild('meanwhile')
      await server.start()
      await delivered(world, 'meanwhile', '0', '199')
      other.root.root?.newNamedChild('goes on')
      await other.flushed()
      const line = await logged(server, (text) => text.includes('a new log begins'))
      expect(line).toContain(file)
      expect(line).toContain(here.id)
      const kept = readdirSync(dirname(file)).find((name) => aside?.test(name))
      expect(kept === undefined).toBe(aside === undefined)
      expect(
        kept === undefined || readFileSync(join(dirname(file), kept)).equals(damaged ?? Buffer.of()),
      ).toBe(true)
    },
  )

  it('a file found damaged while it is in use is filled again by the devices', async () => {
    await using world = await createWorld()
    const { server, here, there, fleet, file } = world
    for (let index = 0; index < 2_000; index++) here.root.root?.newNamedChild(`${index}`)
    await agreed([here, there])
    await server.stop()
    // In the middle of the table: the file opens and accepts edits, but reading it from the start fails.
    const bytes = readFileSync(file)
    bytes.fill(0xff, 4_096 * 20, 4_096 * 24)
    writeFileSync(file, bytes)
    await server.start()
    await Promise.all([live(here), live(there)])
    const tablet = await fleet.device()
    const fresh = await tablet.openSpace(here.id)
    await delivered(world, '0', '1999')
    await agreed([here, there, fresh])
    expect(readdirSync(dirname(file)).some((name) => name.includes('.db.corrupt-'))).toBe(true)
  })
})

it('a file that rots while nobody has the space open is found, and the devices fill it again when they come back', async () => {
  await using world = await createWorld()
  const { server, fleet, here, there, file } = world
  for (let index = 0; index < 2_000; index++) here.root.root?.newNamedChild(`${index}`)
  await agreed([here, there])
  const { id } = here
  await Promise.all([here.close(), there.close()])
  await server.stop()
  const bytes = readFileSync(file)
  // Some pages are free, and damage in those is none.
  for (let at = 8_192; at < bytes.length; at += 512) bytes.fill(0xff, at, at + 32)
  writeFileSync(file, bytes)
  await server.start({ READ_FILES_INTERVAL: '1s' })
  const line = await logged(server, (text) => text.includes('the file of a space is damaged'))
  expect(line).toContain(file)
  await logged(server, (text) => text.includes('set aside') && text.includes(file))
  const tablet = await fleet.device()
  const [again, fresh] = await Promise.all([world.laptop.openSpace(id), tablet.openSpace(id)])
  await agreed([again, fresh])
  expect(childNames(fresh)).toEqual(expect.arrayContaining(['before', '0', '1999']))
})

describe('a file changed under a running server', () => {
  const harms: [what: string, harm: (file: string, copy: string) => void][] = [
    ['is replaced by an older copy', (file, copy) => renameSync(copy, file)],
    ['has an older copy written over it', (file, copy) => copyFileSync(copy, file)],
    ['is deleted with all spaces in its folder', (file) => rmSync(dirname(file), { recursive: true })],
    ['loses its write-ahead log', (file) => rmSync(`${file}-wal`)],
  ]

  it.each(harms)(
    'a file that %s under a running server accepts no edit that a restart would lose',
    async (_, harm) => {
      await using world = await createWorld()
      const { server, fleet, here, there, other, file } = world
      const copy = `${server.dataDir}/copy`
      backUp(file, copy)
      for (let index = 0; index < 50; index++) here.root.root?.newNamedChild(`${index}`)
      await agreed([here, there])
      harm(file, copy)
      // Nobody is told of the fault. Both devices continue to write at once.
      here.root.root?.newNamedChild('of here')
      there.root.root?.newNamedChild('of there')
      other.root.root?.newNamedChild('goes on')
      await Promise.all([other.flushed(), delivered(world, '0', '49', 'of here', 'of there')])
      const line = await logged(server, (text) => text.includes('while it was in use'))
      expect(line).toContain(file)
      expect(line).toContain(here.id)
      await server.kill()
      const { contents } = readOps(file)
      const lost = [...fleet.acked.values()].filter((op) => op.spaceId === here.id && !isIn(contents, op))
      expect(lost).toEqual([])
    },
  )

  it('the server ends if the database of accounts is replaced, and nothing acknowledged is lost', async () => {
    await using world = await createWorld()
    const { server, here, file } = world
    const path = join(server.dataDir, 'platform.sqlite')
    const copy = `${path}.copy`
    backUp(path, copy)
    const head = here.status.cursor
    renameSync(copy, path)
    here.root.root?.newNamedChild('meanwhile')
    await server.ended()
    expect(server.log()).toContain(`t69 stops: ${path}: it was replaced`)
    // Otherwise SQLite would use the files left beside it for the copy.
    expect(statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0)
    await server.start()
    await delivered(world, 'meanwhile')
    expect(readOps(file).count).toBeGreaterThan(head)
  })
})

it('a write-ahead log left by a crash is not replayed into an older copy of its database', async () => {
  await using world = await createWorld()
  const { server, here, there, file } = world
  const copy = `${file}.copy`
  backUp(file, copy)
  // Few enough that none settle: a log that has settled may be in its write-ahead log as a whole.
  for (let index = 0; index < 400; index++) here.root.root?.newNamedChild(`${index}`)
  await agreed([here, there])
  const db = new DatabaseSync(file)
  db.exec('PRAGMA wal_checkpoint(RESTART)')
  db.close()
  for (let index = 400; index < 450; index++) here.root.root?.newNamedChild(`${index}`)
  await agreed([here, there])
  await server.kill()
  expect(existsSync(`${file}-wal`)).toBe(true)
  // The operator forgets to remove the write-ahead log.
  copyFileSync(copy, file)
  await server.start()
  await delivered(world, '0', '449')
  await logged(server, (text) => text.includes('a write-ahead log does not belong to the file'))
  expect(readdirSync(dirname(file)).some((name) => /\.db\.stale-.*-wal$/.test(name))).toBe(true)
})
