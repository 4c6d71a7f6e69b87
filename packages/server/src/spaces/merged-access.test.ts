import { randomHexId, type RoleName, type SpaceId, spaceIdSchema, SyncError } from '@t69/protocol'
import { expect, it } from 'vitest'

import { newUserId, spaceId } from '../testing/ops.ts'
import { createMergedAccess } from './merged-access.ts'

const userId = newUserId()

function setUp(keepAccess: (spaceId: SpaceId) => void, withLog: () => void = () => {}) {
  const accounts = { role: 'owner' as RoleName | undefined }
  const opened: SpaceId[] = []
  const unasked = new Set<SpaceId>()
  const withoutLog = new Set<SpaceId>()
  let [asking, mostAsking] = [0, 0]
  const access = createMergedAccess({
    accounts: { roleOf: () => accounts.role },
    spaces: {
      async withLog(ids) {
        withLog()
        return ids.filter((id) => !withoutLog.has(id))
      },
      async keepAccess(id) {
        opened.push(id)
        mostAsking = Math.max(mostAsking, ++asking)
        await Promise.resolve()
        asking--
        keepAccess(id)
      },
    },
    records: {
      unaskedOf: () => [...unasked],
      noteAsked: (ids) => {
        for (const id of ids) unasked.delete(id)
      },
    },
  })
  const roleOf = async () => {
    await access.askLog(spaceId, userId)
    return access.roleOf(spaceId, userId)
  }
  return {
    accounts,
    access,
    roleOf,
    unasked,
    withoutLog,
    opened: () => opened.length,
    mostAsking: () => mostAsking,
  }
}

it('[SI7] a role counts once the log was asked, which may take it', async () => {
  const { accounts, roleOf, opened } = setUp(() => (accounts.role = undefined))
  expect(await roleOf()).toBeUndefined()
  expect(opened()).toBe(1)
})

it('[SI7] logs are asked once, for members only, and again after others changed the accounts', async () => {
  const { accounts, access, roleOf, opened } = setUp(() => {})
  accounts.role = undefined
  expect(await roleOf()).toBeUndefined()
  expect(opened()).toBe(0)
  accounts.role = 'viewer'
  for (let times = 0; times < 3; times++) expect(await roleOf()).toBe('viewer')
  expect(opened()).toBe(1)
  access.forget()
  await roleOf()
  expect(opened()).toBe(2)
})

it('the accounts count while the log cannot be opened, and it is asked again', async () => {
  const { roleOf, opened } = setUp(() => {
    throw new SyncError('storage_failed', 'the disk fails')
  })
  expect([await roleOf(), await roleOf()]).toEqual(['owner', 'owner'])
  expect(opened()).toBe(2)
})

const newSpaces = (count: number) => Array.from({ length: count }, () => spaceIdSchema.parse(randomHexId()))

it('[SI7] before a list, the logs that were not asked since a restore are asked, some at a time', async () => {
  const { access, unasked, opened, mostAsking } = setUp(() => {})
  for (const id of newSpaces(95)) unasked.add(id)
  // Two devices ask at once.
  await Promise.all([access.settle(userId), access.settle(userId)])
  expect([opened(), unasked.size, mostAsking()]).toEqual([95, 0, 10])
  await access.settle(userId)
  expect(opened()).toBe(95)
})

it('[SI7] a log that cannot be opened is asked before the next list', async () => {
  const failing = new Set<SpaceId>()
  const { access, unasked } = setUp((id) => {
    if (failing.has(id)) throw new SyncError('storage_failed', 'the disk fails')
  })
  const [one, two, three] = newSpaces(3)
  for (const id of [one, two, three]) if (id !== undefined) unasked.add(id)
  if (two !== undefined) failing.add(two)
  await access.settle(userId)
  expect([...unasked]).toEqual([two])
  failing.clear()
  await access.settle(userId)
  expect(unasked.size).toBe(0)
})

it('a list makes no log for a space without one', async () => {
  const { access, unasked, withoutLog, opened } = setUp(() => {})
  for (const id of newSpaces(3)) {
    unasked.add(id)
    withoutLog.add(id)
  }
  await access.settle(userId)
  expect([opened(), unasked.size]).toEqual([0, 0])
})

it('an account whose spaces may have members that only a log knows is not taken for alone in them', async () => {
  const failing = new Set<SpaceId>([spaceId])
  const { access, unasked } = setUp((id) => {
    if (failing.has(id)) throw new SyncError('storage_failed', 'the disk fails')
  })
  const ask = () => access.askAll(userId, [spaceId])
  // Asked before, and the accounts were not restored since.
  await ask()
  unasked.add(spaceId)
  await expect(ask()).rejects.toMatchObject({ code: 'storage_failed' })
  failing.clear()
  await ask()
})

it('the accounts count for a list while nobody can say which logs there are', async () => {
  const storage = { fails: true }
  const { access, unasked, opened } = setUp(
    () => {},
    () => {
      if (storage.fails) throw new SyncError('storage_failed', 'the thread ended')
    },
  )
  unasked.add(spaceId)
  await access.settle(userId)
  expect([opened(), unasked.size]).toEqual([0, 1])
  storage.fails = false
  await access.settle(userId)
  expect([opened(), unasked.size]).toEqual([1, 0])
})
