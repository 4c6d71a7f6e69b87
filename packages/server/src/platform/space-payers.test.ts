import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { UserId } from '@t69/protocol'
import { expect, test } from 'vitest'

import { newUserId, otherSpaceId, spaceId } from '../testing/ops.ts'
import { openPlatform } from './platform.ts'

test('[QU3] a space counts against its longest-standing owner, for as long as they own it', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 't69-payers-'))
  const platform = openPlatform({ dataDir, synchronous: 'normal', refreshTokenTtlMs: 1_000 })
  const { members, spaceRecords, spacePayers, users } = platform
  const person = (name: string): UserId => {
    const id = newUserId()
    users.add({ id, name, email: `${name}@example.org`, passwordHash: '' }, 1)
    return id
  }
  const [anna, ben, cleo] = [person('anna'), person('ben'), person('cleo')]
  spaceRecords.add({ id: spaceId, name: 'One' }, anna, 1)
  spaceRecords.add({ id: otherSpaceId, name: 'Two' }, anna, 2)
  members.add(spaceId, cleo, 'editor', 2)
  members.add(spaceId, ben, 'owner', 3)
  const paid = () => [anna, ben, cleo].map((userId) => spacePayers.paidBy(userId).length)

  expect(spacePayers.payerOf(spaceId)).toBe(anna)
  expect(paid()).toEqual([2, 0, 0])
  members.remove(spaceId, anna)
  expect(spacePayers.payerOf(spaceId)).toBe(ben)
  expect(paid()).toEqual([1, 1, 0])
  // The member who joined first pays as soon as they are an owner. Two owners are never charged at once.
  members.changeRole(spaceId, cleo, 'owner', 4)
  expect(spacePayers.payerOf(spaceId)).toBe(cleo)
  expect(paid()).toEqual([1, 0, 1])
  spaceRecords.remove(spaceId, 5)
  expect(spacePayers.payerOf(spaceId)).toBeUndefined()
  expect(paid()).toEqual([1, 0, 0])

  platform.close()
  rmSync(dataDir, { recursive: true })
})
