import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { randomHexId, spaceIdSchema, userIdSchema } from '@t69/protocol'
import Sqlite from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'

import { openPlatform } from './platform.ts'

it('remembers the last thousand links of a space that were withdrawn, however many were made', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-invites-'))
  const platform = openPlatform({ dataDir, refreshTokenTtlMs: 100_000, now: () => 1 })
  onTestFinished(() => {
    platform.close()
    rmSync(dataDir, { recursive: true })
  })
  const [spaceId, createdBy] = [spaceIdSchema.parse(randomHexId()), userIdSchema.parse(randomHexId())]
  platform.accounts.add({ id: createdBy, name: 'Anna', email: 'anna@example.org', passwordHash: 'x' }, 1)
  platform.spaceRecords.add({ id: spaceId, name: 'Shared' }, createdBy, 1)
  const { invites } = platform
  const add = (now: number) => invites.add({ spaceId, role: 'editor', createdBy }, now)
  const active = add(1)

  const tokens: string[] = []
  for (let now = 2; now < 1_012; now++) {
    const { id, token } = add(now)
    invites.withdraw(spaceId, id, now)
    tokens.push(token)
  }

  const db = new Sqlite(join(dataDir, 'platform.sqlite'), { readonly: true })
  onTestFinished(() => void db.close())
  expect(db.prepare('select count(*) from invites').pluck().get()).toBe(1_001)
  expect(invites.list(spaceId, 1_012)).toMatchObject([{ id: active.id }])
  expect(() => invites.find(tokens.at(-1) ?? '', 1_012)).toThrow('no longer valid')
  expect(() => invites.find(tokens[0] ?? '', 1_012)).toThrow('No such invite')
})
