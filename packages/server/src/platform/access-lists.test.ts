import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { randomHexId, spaceIdSchema, userIdSchema, type SpaceId, type UserId } from '@t69/protocol'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { openPlatform, type Platform } from './platform.ts'

let dataDir: string
let platform: Platform
/** Spaces of which the listener was told. */
let told: SpaceId[]
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 't69-access-'))
  open()
})
afterEach(() => {
  platform.close()
  rmSync(dataDir, { recursive: true, force: true })
})

function open(): void {
  platform = openPlatform({ dataDir, refreshTokenTtlMs: 100_000, now: () => now })
  told = []
  platform.accessLists.onChange((spaceIds) => told.push(...spaceIds))
}

const path = () => join(dataDir, 'platform.sqlite')

/** Makes a copy, and returns what restores it. */
function copy(): () => void {
  platform.close()
  copyFileSync(path(), `${path()}.copy`)
  open()
  return () => {
    platform.close()
    copyFileSync(`${path()}.copy`, path())
    open()
  }
}

let now = 1
function user(name: string): UserId {
  const id = userIdSchema.parse(randomHexId())
  const account = { id, name, email: `${name.toLowerCase()}@example.org`, passwordHash: 'x' }
  platform.accounts.add(account, ++now)
  return id
}

function space(owner: UserId, ...editors: UserId[]): SpaceId {
  const id = spaceIdSchema.parse(randomHexId())
  platform.spaceRecords.add({ id, name: 'Shared' }, owner, ++now)
  for (const editor of editors) platform.members.add(id, editor, 'editor', ++now)
  return id
}

/** Who has which role, absent members and removed ones too. */
function rolesIn(spaceId: SpaceId): Record<string, string | null> {
  const { entries } = platform.accessLists.list(spaceId)
  return Object.fromEntries(entries.map(({ userId, role }) => [userId, role]))
}

function byHand(sql: string, ...parameters: unknown[]): void {
  const db = new Sqlite(path())
  db.prepare(sql).run(...parameters)
  db.close()
}

describe('[SI5] the access list', () => {
  it('gets a new access id with each change, whoever makes it, and the listener is told after the commit', () => {
    const [anna, ben, cleo, dora] = [user('Anna'), user('Ben'), user('Cleo'), user('Dora')]
    const id = space(anna)
    const { members, invites, accounts, accessLists } = platform
    const seen = [accessLists.of(id)!.accessId]
    const invite = invites.add({ spaceId: id, role: 'editor', createdBy: anna }, ++now)
    const changes: [name: string, change: () => void][] = [
      ['added', () => members.add(id, ben, 'editor', ++now)],
      ['invited', () => invites.accept(invite.token, cleo, ++now)],
      ['given another role', () => members.changeRole(id, ben, 'owner', ++now)],
      ['left', () => members.remove(id, ben)],
      ['back', () => members.add(id, ben, 'viewer', ++now)],
      ['expelled', () => members.expel(id, ben, ++now)],
      [
        'account deleted',
        () => {
          accounts.delete(cleo, ++now)
          accessLists.announce()
        },
      ],
      ['added by hand', () => byHand(`insert into members values (?, ?, 'viewer', 1, '')`, id, dora)],
      ['changed by hand', () => byHand(`update members set role = 'editor' where user_id = ?`, dora)],
      ['removed by hand', () => byHand('delete from members where user_id = ?', dora)],
    ]
    for (const [name, change] of changes) {
      told.length = 0
      change()
      // What was done by hand, the server notices within a second.
      if (name.endsWith('by hand')) accessLists.announce()
      expect([name, told]).toEqual([name, [id]])
      seen.push(accessLists.of(id)!.accessId)
    }
    expect(new Set(seen).size).toBe(changes.length + 1)
    for (const accessId of seen) expect(accessLists.knows(id, accessId)).toBe(true)
    expect(rolesIn(id)).toEqual({ [anna]: 'owner', [ben]: null, [cleo]: null, [dora]: null })
  })

  it('does not change when nothing does', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const id = space(anna, ben)
    const { accessId } = platform.accessLists.of(id)!
    told.length = 0
    const { members } = platform
    members.add(id, ben, 'viewer', ++now)
    members.changeRole(id, ben, 'editor', ++now)
    expect(() => members.remove(id, anna)).toThrow('at least one owner')
    expect(() => members.expel(id, userIdSchema.parse(randomHexId()), ++now)).toThrow('No such member')
    expect(platform.accessLists.of(id)!.accessId).toBe(accessId)
    expect(told).toEqual([])
  })

  it('says of a removed member nothing but the id', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const id = space(anna, ben)
    platform.accounts.delete(ben, ++now)
    const removed = platform.accessLists.list(id).entries.find(({ userId }) => userId === ben)
    expect(removed).toMatchObject({ role: null, email: '', name: '' })
  })

  it('forgets the oldest of very many removed members, and nobody else', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const id = space(anna)
    const removed = Array.from({ length: 502 }, (_, nr) => user(`User${nr}`))
    platform.members.add(id, ben, 'viewer', ++now)
    for (const userId of removed) {
      platform.members.add(id, userId, 'editor', ++now)
      platform.members.remove(id, userId)
    }
    const roles = rolesIn(id)
    expect(Object.keys(roles)).toHaveLength(502)
    expect(removed.slice(0, 2).map((userId) => roles[userId])).toEqual([undefined, undefined])
    expect(roles[ben]).toBe('viewer')
  })
})

describe('[SI6] after the accounts were restored from an older copy, a newer list', () => {
  it('removes again who was removed since, and withdraws invites that would let them in', () => {
    const [anna, ben, cleo] = [user('Anna'), user('Ben'), user('Cleo')]
    const id = space(anna, ben)
    const invite = platform.invites.add({ spaceId: id, role: 'editor', createdBy: anna }, ++now)
    const restore = copy()
    platform.members.expel(id, ben, ++now)
    const list = platform.accessLists.list(id)
    restore()
    expect(rolesIn(id)).toEqual({ [anna]: 'owner', [ben]: 'editor' })
    platform.accessLists.merge(list)
    expect(rolesIn(id)).toEqual({ [anna]: 'owner', [ben]: null })
    expect(told).toEqual([id])
    expect(platform.accessLists.knows(id, list.accessId)).toBe(true)
    for (const userId of [ben, cleo]) {
      expect(() => platform.invites.accept(invite.token, userId, now)).toThrow('no longer valid')
    }
    // A second device shows the same seal.
    told.length = 0
    platform.accessLists.merge(list)
    expect(told).toEqual([])
  })

  it('removes who came in by a link that had been withdrawn before the loss', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const id = space(anna)
    const invite = platform.invites.add({ spaceId: id, role: 'editor', createdBy: anna }, ++now)
    const restore = copy()
    platform.invites.accept(invite.token, ben, ++now)
    platform.members.expel(id, ben, ++now)
    const list = platform.accessLists.list(id)
    restore()
    platform.invites.accept(invite.token, ben, ++now)
    expect(platform.members.roleOf(id, ben)).toBe('editor')
    platform.accessLists.merge(list)
    expect(platform.members.roleOf(id, ben)).toBeUndefined()
  })

  it('does not bring back who was removed after the restore', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const id = space(anna, ben)
    const restore = copy()
    platform.members.changeRole(id, ben, 'owner', ++now)
    const list = platform.accessLists.list(id)
    restore()
    platform.members.expel(id, ben, ++now)
    platform.accessLists.merge(list)
    expect(rolesIn(id)).toEqual({ [anna]: 'owner', [ben]: null })
  })

  it('gives the space back to the owner whom a removed owner had removed meanwhile', () => {
    const [anna, mallory, eve] = [user('Anna'), user('Mallory'), user('Eve')]
    const id = space(anna)
    platform.members.add(id, mallory, 'owner', ++now)
    const restore = copy()
    platform.members.expel(id, mallory, ++now)
    const list = platform.accessLists.list(id)
    restore()
    platform.members.add(id, eve, 'editor', ++now)
    platform.members.expel(id, anna, ++now)
    platform.accessLists.merge(list)
    expect(rolesIn(id)).toEqual({ [anna]: 'owner', [mallory]: null, [eve]: null })
  })

  it('lets nobody keep what a link or an owner from before a removal gave them meanwhile', () => {
    const [anna, mallory, eve, ben] = [user('Anna'), user('Mallory'), user('Eve'), user('Ben')]
    const id = space(anna, ben)
    platform.members.add(id, mallory, 'owner', ++now)
    const invite = platform.invites.add({ spaceId: id, role: 'editor', createdBy: anna }, ++now)
    const restore = copy()
    platform.members.expel(id, mallory, ++now)
    const list = platform.accessLists.list(id)
    restore()
    platform.invites.accept(invite.token, eve, ++now)
    platform.members.changeRole(id, ben, 'owner', ++now)
    platform.accessLists.merge(list)
    expect(rolesIn(id)).toEqual({ [anna]: 'owner', [mallory]: null, [eve]: null, [ben]: 'editor' })
  })

  it('leaves who joined meanwhile, if it takes no right from anybody', () => {
    const [anna, ben, cleo] = [user('Anna'), user('Ben'), user('Cleo')]
    const id = space(anna)
    const invite = platform.invites.add({ spaceId: id, role: 'editor', createdBy: anna }, ++now)
    const restore = copy()
    platform.members.add(id, ben, 'viewer', ++now)
    const list = platform.accessLists.list(id)
    restore()
    platform.invites.accept(invite.token, cleo, ++now)
    platform.accessLists.merge(list)
    expect(rolesIn(id)).toEqual({ [anna]: 'owner', [ben]: 'viewer', [cleo]: 'editor' })
    expect(platform.invites.list(id, now)).toHaveLength(1)
  })

  it('brings back members and roles that were newer than the copy, accounts that are lost as absent', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const id = space(anna)
    const restore = copy()
    platform.members.add(id, ben, 'editor', ++now)
    const cleo = user('Cleo')
    platform.members.add(id, cleo, 'viewer', ++now)
    platform.members.changeRole(id, cleo, 'owner', ++now)
    const list = platform.accessLists.list(id)
    restore()
    platform.accessLists.merge(list)
    expect(platform.members.list(id).map(({ user: { name }, role }) => [name, role])).toEqual([
      ['Anna', 'owner'],
      ['Ben', 'editor'],
    ])
    const absent = { id: cleo, name: 'Cleo', email: 'cleo@example.org' }
    expect(platform.accessLists.absent(id)).toMatchObject([{ user: absent, role: 'owner' }])
    // Somebody else at that address is nobody here.
    platform.accounts.add({ ...absent, id: userIdSchema.parse(randomHexId()), passwordHash: 'x' }, ++now)
    expect(platform.accessLists.absent(id)).toHaveLength(1)
    platform.accounts.add({ ...absent, email: 'c@example.org', passwordHash: 'x' }, ++now)
    expect(platform.members.roleOf(id, cleo)).toBe('owner')
    expect(platform.accessLists.absent(id)).toEqual([])
    // The way back was no change of the list: what a list from before the loss says later of her still counts.
    expect(platform.accessLists.list(id).entries.find(({ userId }) => userId === cleo)?.since).toBe(
      list.entries.find(({ userId }) => userId === cleo)?.since,
    )
  })

  it('does not bring back the name of somebody who has deleted the account, as lost or otherwise', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const id = space(anna)
    const restore = copy()
    platform.members.add(id, ben, 'editor', ++now)
    const newer = platform.accessLists.list(id)
    restore()
    platform.accounts.delete(ben, ++now)
    platform.accessLists.merge(newer)
    expect(rolesIn(id)).toEqual({ [anna]: 'owner', [ben]: null })
    expect(platform.accessLists.absent(id)).toEqual([])
    expect(JSON.stringify(platform.accessLists.list(id))).not.toContain('ben@example.org')
  })

  it('lets a member leave a space whose only owner is absent', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const id = space(anna, ben)
    const restore = copy()
    const nora = user('Nora')
    platform.members.add(id, nora, 'owner', ++now)
    platform.members.remove(id, anna)
    const newer = platform.accessLists.list(id)
    restore()
    platform.accessLists.merge(newer)
    expect(rolesIn(id)).toEqual({ [anna]: null, [ben]: 'editor', [nora]: 'owner' })
    platform.members.remove(id, ben)
    expect(rolesIn(id)).toEqual({ [anna]: null, [ben]: null, [nora]: 'owner' })
  })

  it('keeps a space for a member whose account is lost, when the last other one deletes theirs', () => {
    const anna = user('Anna')
    const id = space(anna)
    const restore = copy()
    const ben = user('Ben')
    platform.members.add(id, ben, 'editor', ++now)
    const list = platform.accessLists.list(id)
    restore()
    platform.accessLists.merge(list)
    expect(() => platform.accounts.delete(anna, ++now)).toThrow('You are the last owner')
  })
})

describe('[SI12] the name in a list', () => {
  const nameOf = (id: SpaceId) => platform.accessLists.list(id).name

  it('comes back where the accounts are older than the rename', () => {
    const id = space(user('Anna'))
    const restore = copy()
    platform.accessLists.rename(id, 'Renamed')
    const kept = platform.accessLists.merged(id, undefined)
    restore()
    expect(nameOf(id)).toBe('Shared')
    platform.accessLists.merged(id, kept)
    expect(nameOf(id)).toBe('Renamed')
  })

  it('stays where the space was renamed after the restore, and where the list is older', () => {
    const id = space(user('Anna'))
    const older = platform.accessLists.list(id)
    const restore = copy()
    platform.accessLists.rename(id, 'Renamed')
    const parted = platform.accessLists.list(id)
    restore()
    platform.accessLists.rename(id, 'Renamed later')
    platform.accessLists.merge(older)
    platform.accessLists.merge(parted)
    expect(nameOf(id)).toBe('Renamed later')
  })

  it('is not the one that somebody gave who had been removed before the restore', () => {
    const [anna, mallory] = [user('Anna'), user('Mallory')]
    const id = space(anna, mallory)
    const restore = copy()
    platform.accessLists.rename(id, 'Renamed')
    platform.members.expel(id, mallory, ++now)
    const list = platform.accessLists.list(id)
    restore()
    platform.accessLists.rename(id, 'Mine')
    platform.accessLists.merge(list)
    expect(nameOf(id)).toBe('Renamed')
  })

  it('is later than the one that a device gives to a space which the accounts forgot', () => {
    const restore = copy()
    const anna = user('Anna')
    const id = space(anna)
    const ofDevice = platform.accessLists.list(id)
    platform.accessLists.rename(id, 'Renamed')
    const kept = platform.accessLists.merged(id, undefined)
    restore()
    platform.accessLists.registerAgain(ofDevice, 'Shared')
    platform.accessLists.merged(id, kept)
    expect(nameOf(id)).toBe('Renamed')
  })

  it('is missing in a list that an earlier version sealed, and the space keeps its own', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const id = space(anna)
    const restore = copy()
    platform.members.add(id, ben, 'editor', ++now)
    const { name: _, ...list } = platform.accessLists.list(id)
    const sealed = platform.seals.openSpace(platform.seals.sealSpace(list))!
    restore()
    platform.accessLists.merge(sealed)
    expect(nameOf(id)).toBe('Shared')
    expect(rolesIn(id)).toMatchObject({ [ben]: 'editor' })
  })

  it('changes the list, of which the log and every device get the new one, but not by the same name', () => {
    const id = space(user('Anna'))
    const before = platform.accessLists.of(id)!.accessId
    told = []
    platform.accessLists.rename(id, 'Renamed')
    expect(told).toEqual([id])
    const { accessId } = platform.accessLists.of(id)!
    expect(accessId).not.toBe(before)
    platform.accessLists.rename(id, 'Renamed')
    expect(platform.accessLists.of(id)!.accessId).toBe(accessId)
  })
})

describe('[SI7] the list in a log', () => {
  it('is merged where the accounts lack its changes, and replaced where they have more', () => {
    const [anna, ben, cleo] = [user('Anna'), user('Ben'), user('Cleo')]
    const id = space(anna, ben)
    const { accessLists } = platform
    const first = accessLists.merged(id, undefined)!
    expect(first).toMatchObject({
      identity: accessLists.of(id)!.identity,
      accessId: accessLists.of(id)!.accessId,
    })
    expect(accessLists.merged(id, first)).toBeUndefined()
    const restore = copy()
    platform.members.expel(id, ben, ++now)
    const kept = platform.accessLists.merged(id, first)!
    expect(kept.accessId).not.toBe(first.accessId)
    restore()
    platform.members.add(id, cleo, 'viewer', ++now)
    const merged = platform.accessLists.merged(id, kept)!
    expect(rolesIn(id)).toEqual({ [anna]: 'owner', [ben]: null, [cleo]: null })
    expect(platform.accessLists.merged(id, merged)).toBeUndefined()
  })

  it('is what devices are given, as it is, while it is the present one and unharmed', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const id = space(anna, ben)
    const kept = platform.accessLists.merged(id, undefined)!
    const restarted = () => {
      platform.close()
      open()
      return platform.accessLists
    }
    expect(restarted().seal(id).seal).not.toBe(kept.seal)
    let accessLists = restarted()
    expect(accessLists.merged(id, kept)).toBeUndefined()
    expect(accessLists.seal(id)).toEqual({ accessId: kept.accessId, seal: kept.seal })
    accessLists = restarted()
    const at = kept.seal.length >> 1
    const flipped = kept.seal[at] === 'A' ? 'B' : 'A'
    const harmed = { ...kept, seal: kept.seal.slice(0, at) + flipped + kept.seal.slice(at + 1) }
    expect(accessLists.merged(id, harmed)).toBeUndefined()
    expect(platform.seals.openSpace(accessLists.seal(id).seal)).toMatchObject({ accessId: kept.accessId })
    accessLists = restarted()
    accessLists.merged(id, kept)
    platform.members.expel(id, ben, ++now)
    const { accessId } = accessLists.seal(id)
    expect(accessId).not.toBe(kept.accessId)
    // An older list, or that of another space, under the id of the present one.
    const foreign = accessLists.merged(space(anna), undefined)!
    for (const { seal } of [kept, foreign]) {
      accessLists = restarted()
      accessLists.merged(id, { ...kept, accessId, seal })
      expect(platform.seals.openSpace(accessLists.seal(id).seal)).toMatchObject({ spaceId: id, accessId })
    }
  })

  it('is no list if another secret sealed it, or if it is of another space', () => {
    const [anna, ben] = [user('Anna'), user('Ben')]
    const [id, other] = [space(anna, ben), space(anna)]
    const { accessLists } = platform
    const foreign = accessLists.merged(other, undefined)!
    const forged = { ...foreign, accessId: accessLists.of(other)!.accessId }
    const own = { ...forged, identity: accessLists.of(id)!.identity, seal: 'no seal' }
    for (const kept of [foreign, own]) {
      expect(accessLists.merged(id, kept)).toMatchObject({ accessId: accessLists.of(id)!.accessId })
    }
    expect(rolesIn(id)).toEqual({ [anna]: 'owner', [ben]: 'editor' })
  })
})
