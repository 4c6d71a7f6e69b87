import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { randomHexId, spaceIdSchema, userIdSchema, type SpaceId, type UserId } from '@t69/protocol'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'

import { openPlatform, type Platform } from './platform.ts'

let dataDir: string
let copyDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 't69-history-'))
  copyDir = mkdtempSync(join(tmpdir(), 't69-copy-'))
})
afterEach(() => {
  for (const folder of [dataDir, copyDir]) rmSync(folder, { recursive: true, force: true })
})

/** Runs `work` as one process of the server, and returns the user's spaces whose logs are still to be asked. */
function process(work: (platform: Platform) => void = () => {}): SpaceId[] {
  const platform = openPlatform({ dataDir, refreshTokenTtlMs: 1_000 })
  const anna = platform.users.byEmail('anna@example.org')?.id ?? addUser(platform)
  work(platform)
  const unasked = platform.spaceRecords.unaskedOf(anna)
  platform.close()
  return unasked
}

function addUser(platform: Platform): UserId {
  const id = userIdSchema.parse(randomHexId())
  platform.users.add({ id, email: 'anna@example.org', name: 'Anna', passwordHash: '' }, 1)
  return id
}

function addSpace({ users, spaceRecords }: Platform): SpaceId {
  const id = spaceIdSchema.parse(randomHexId())
  const anna = users.byEmail('anna@example.org')
  if (anna !== undefined) spaceRecords.add({ id, name: 'Home' }, anna.id, 1)
  return id
}

const askAll = (platform: Platform): void => {
  const anna = platform.users.byEmail('anna@example.org')
  if (anna !== undefined) platform.spaceRecords.noteAsked(platform.spaceRecords.unaskedOf(anna.id))
}
const copyAccounts = (from: string, to: string): void => {
  for (const suffix of ['-wal', '-shm']) rmSync(join(to, `platform.sqlite${suffix}`), { force: true })
  cpSync(join(from, 'platform.sqlite'), join(to, 'platform.sqlite'))
}

it('asks no log again at a start, after a crash of the machine, or after a deletion', () => {
  let first: SpaceId | undefined
  expect(process((platform) => void (first = addSpace(platform)))).toEqual([])
  expect(process((platform) => void addSpace(platform))).toEqual([])
  const remove = (platform: Platform): void => {
    if (first !== undefined) platform.spaceRecords.remove(first, 1)
  }
  expect(process(remove)).toEqual([])
  expect(process()).toEqual([])
})

it('asks every log once after the accounts were put back, whatever they have gone through since', () => {
  process((platform) => void addSpace(platform))
  copyAccounts(dataDir, copyDir)
  process((platform) => void addSpace(platform))
  const newest = mkdtempSync(join(tmpdir(), 't69-newest-'))
  copyAccounts(dataDir, newest)
  copyAccounts(copyDir, dataDir)
  expect(process()).toHaveLength(1)
  expect(process(askAll)).toEqual([])
  // As many changes as before the restore.
  expect(process((platform) => void addSpace(platform))).toEqual([])
  copyAccounts(newest, dataDir)
  expect(process()).toHaveLength(2)
  rmSync(newest, { recursive: true })
})

it('asks every log when nobody knows what the accounts have gone through', () => {
  process((platform) => void addSpace(platform))
  rmSync(join(dataDir, 'marks'), { recursive: true })
  expect(process()).toHaveLength(1)
  expect(process(askAll)).toEqual([])
  writeFileSync(join(dataDir, 'marks', 'accounts'), 'not a mark')
  expect(process()).toHaveLength(1)
})

it('notices a copy that is restored into the open database', () => {
  process((platform) => void addSpace(platform))
  copyAccounts(dataDir, copyDir)
  const unasked = process((platform) => {
    addSpace(platform)
    const copy = new Sqlite(join(copyDir, 'platform.sqlite'))
    const shell = new Sqlite(join(dataDir, 'platform.sqlite'))
    // As `.restore` does: the pages of the copy, in one transaction.
    shell.exec(`attach '${join(copyDir, 'platform.sqlite')}' as copy`)
    shell.exec(`
      begin immediate;
      delete from main.spaces;
      insert into main.spaces select * from copy.spaces;
      delete from main.members;
      insert into main.members select * from copy.members;
      update sqlite_sequence set seq = (select seq from copy.sqlite_sequence where name = 'access_ids')
        where name = 'access_ids';
      commit;
    `)
    shell.close()
    copy.close()
    platform.accessLists.announce()
  })
  expect(unasked).toHaveLength(1)
})

it('opens the accounts where no note can be kept', () => {
  process((platform) => void addSpace(platform))
  rmSync(join(dataDir, 'marks'), { recursive: true })
  // A file in the place of the folder: nothing can be written or removed below it, whoever runs the server.
  writeFileSync(join(dataDir, 'marks'), '')
  expect(process((platform) => void addSpace(platform))).toHaveLength(1)
})
