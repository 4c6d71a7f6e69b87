import { randomBytes } from 'node:crypto'

import {
  limits,
  randomHexId,
  type AccessId,
  type SpaceId,
  type SpaceIdentity,
  type UserId,
} from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import type { AccessList } from './access-list.ts'
import { createSeals } from './seals.ts'

const seals = createSeals('a secret for tests, 32 characters')

/** A list with texts that hardly deflate, of four bytes a character, as long as accounts may have them. */
function listOf(members: number, removed = 0, ids = 1): AccessList {
  const text = (length: number) =>
    Array.from(randomBytes(length * 2), (_, at) => at)
      .slice(0, length)
      .map(() => String.fromCodePoint(0x1_0000 + (randomBytes(2).readUInt16BE() % 0xfffd)))
      .join('')
  const entry = (role: string | null) => ({
    userId: randomHexId() as UserId,
    role,
    since: randomHexId() as AccessId,
    joinedAt: Date.now(),
    email: role === null ? '' : `${randomBytes(120).toString('hex')}@example.org`,
    name: role === null ? '' : text(50),
  })
  return {
    spaceId: randomHexId() as SpaceId,
    identity: randomHexId() as SpaceIdentity,
    createdAt: Date.now(),
    accessId: randomHexId() as AccessId,
    accessIds: Array.from({ length: ids }, () => randomHexId() as AccessId),
    entries: [
      ...Array.from({ length: members }, () => entry('editor')),
      ...Array.from({ length: removed }, () => entry(null)),
    ],
  }
}

const newAccount = () => ({
  userId: randomHexId() as UserId,
  email: 'anna@example.org',
  deletedBefore: [],
})

describe('a seal', () => {
  it('is read by the server that made it, and by no other', () => {
    const list = listOf(3, 2)
    const sealed = seals.sealSpace(list)
    expect(seals.openSpace(sealed)).toEqual(list)
    expect(createSeals('another secret, also 32 characters').openSpace(sealed)).toBeUndefined()
    const account = { ...newAccount(), deletedBefore: [randomHexId() as UserId] }
    expect(seals.openAccount(seals.sealAccount(account))).toEqual(account)
  })

  it('says of which list it is', () => {
    const [list, other] = [listOf(3), listOf(3)]
    const sealed = seals.sealSpace(list)
    expect(seals.isOf(sealed, list)).toBe(true)
    for (const { spaceId, accessId } of [
      { ...list, spaceId: other.spaceId },
      { ...list, accessId: other.accessId },
    ]) {
      expect(seals.isOf(sealed, { spaceId, accessId })).toBe(false)
    }
    expect(seals.isOf(`${sealed.slice(0, 40)}A${sealed.slice(41)}`, list)).toBe(sealed[40] === 'A')
  })

  it('shows nothing of its content, and is another one each time', () => {
    const list = listOf(1)
    const [one, two] = [seals.sealSpace(list), seals.sealSpace(list)]
    expect(one).not.toBe(two)
    const account = seals.sealAccount(newAccount())
    expect(Buffer.from(account, 'base64url').includes('anna')).toBe(false)
  })

  it('of one kind is none of another, and one that was changed anywhere is none', () => {
    const account = seals.sealAccount(newAccount())
    expect(seals.openSpace(account)).toBeUndefined()
    const sealed = seals.sealSpace(listOf(1))
    expect(seals.openAccount(sealed)).toBeUndefined()
    const bytes = Buffer.from(sealed, 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const forged = Buffer.from(bytes)
      forged[at]! ^= 1
      expect(seals.openSpace(forged.toString('base64url'))).toBeUndefined()
    }
    for (const text of ['', 'x', '!', 'a'.repeat(1_000), sealed.slice(0, -4), `${sealed}AAAA`]) {
      expect(seals.openSpace(text), text.slice(0, 20)).toBeUndefined()
    }
  })

  it('[SI5] fits into a message, however long the names of all members are', () => {
    const sealed = seals.sealSpace(listOf(limits.maxMembers, 500, 500))
    expect(sealed.length).toBeLessThanOrEqual(limits.maxSealLength)
    expect(sealed.length + 1_000).toBeLessThan(limits.maxMessageBytes)
    expect(seals.openSpace(sealed)?.entries.at(0)?.name).not.toBe('')
  })

  it('of a list that merging filled leaves names out, and nobody', () => {
    const list = listOf(3 * limits.maxMembers, 500, 500)
    const sealed = seals.sealSpace(list)
    expect(sealed.length).toBeLessThanOrEqual(limits.maxSealLength)
    const opened = seals.openSpace(sealed)
    expect(opened?.entries.map(({ userId, role }) => [userId, role])).toEqual(
      list.entries.map(({ userId, role }) => [userId, role]),
    )
    expect(opened?.entries.at(0)?.name).toBe('')
  })
})
