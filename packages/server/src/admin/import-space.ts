import { existsSync } from 'node:fs'

import { limits, rightsOf, roleSchema, SyncError, type User } from '@t69/protocol'

import { placeFile } from '../logs/copied-file.ts'
import { pathOfDeletion, pathOfSpace } from '../logs/space-path.ts'
import { type AccessEntry, type AccessList, rank } from '../platform/access-list.ts'
import type { Platform } from '../platform/platform.ts'
import type { AdminAnswer, AdminGiven } from './admin-calls.ts'
import { stagedPath } from './staged-file.ts'

/**
 * Takes over the file of a space that the command has checked and staged, and registers the space with its identity and members.
 * The file comes first: a space without it would begin a new log. Throws `SyncError`, and changes nothing then, where something
 * would be lost: the space is here, or was deleted here, or nobody could enter it.
 */
export function importSpace(
  {
    dataDir,
    platform,
    now,
  }: {
    readonly dataDir: string
    readonly platform: Pick<Platform, 'users' | 'spaceRecords' | 'accessLists'>
    /** Unix milliseconds. */
    readonly now: number
  },
  given: Omit<AdminGiven<'spaces import'>, 'owner'> & { readonly owner: User | undefined },
): AdminAnswer<'spaces import'> {
  const { users, spaceRecords, accessLists } = platform
  const { name, list } = given.space
  const { spaceId } = list
  const path = pathOfSpace(dataDir, spaceId)
  requireNew()

  const entries = entriesHere()
  const here: AccessEntry[] = []
  const absent: AccessEntry[] = []
  for (const entry of entries) {
    if (entry.role === null || users.wasDeleted(entry.userId)) continue
    const hasAccount = roleSchema.safeParse(entry.role).success && users.byId(entry.userId) !== undefined
    if (hasAccount) here.push(entry)
    else absent.push(entry)
  }
  if (!here.some(({ role }) => role !== null && rightsOf(role).own)) {
    const message =
      'none of its owners has an account here, so nobody could let others in: say --owner with an account, or ' +
      '--by-email if the addresses of this server’s accounts are true'
    throw new SyncError('forbidden', message, { reason: 'owner_needed' })
  }
  if (here.length + absent.length > limits.maxMembers) {
    const message = `it has more than ${limits.maxMembers} members`
    throw new SyncError('quota_exceeded', message, { reason: 'too_many_members' })
  }
  const shown = ({ userId, email, name, role }: AccessEntry) => ({ id: userId, email, name, role })
  const answer = { id: spaceId, name, members: here.map(shown), absent: absent.map(shown) }
  if (given.dryRun) return answer

  placeFile(stagedPath(dataDir, given.staged), path)
  try {
    accessLists.registerAgain({ ...list, entries }, name, { hasLog: true })
  } catch (error) {
    placeFile(path, stagedPath(dataDir, given.staged))
    throw error
  }
  return answer

  function requireNew(): void {
    if (spaceRecords.wasDeleted(spaceId) || existsSync(pathOfDeletion(dataDir, spaceId))) {
      const message = `the space ${spaceId} was deleted here, and the id of a deleted space is never given out again`
      throw new SyncError('forbidden', message, { reason: 'id_taken' })
    }
    if (spaceRecords.exists(spaceId)) {
      const message = `the space ${spaceId} is here already, and what it holds may be newer: nothing was changed`
      throw new SyncError('already_exists', message, { reason: 'id_taken' })
    }
    const found = [path, `${path}-wal`].find((it) => existsSync(it))
    if (found === undefined) return
    const message = `there is a file of the space, which the accounts have forgotten: move ${found} away first`
    throw new SyncError('already_exists', message, { reason: 'id_taken' })
  }

  /** The entries with the accounts of this server. Of two for one account, the one with more rights. */
  function entriesHere(): AccessEntry[] {
    const byUser = new Map<string, AccessEntry>()
    for (const entry of list.entries) {
      const account = given.byEmail && users.byId(entry.userId) === undefined ? accountOf(entry) : undefined
      const mine = account === undefined ? entry : { ...entry, userId: account.id }
      const other = byUser.get(mine.userId)
      if (other === undefined || rank(mine.role) > rank(other.role)) byUser.set(mine.userId, mine)
    }
    const { owner } = given
    if (owner !== undefined) {
      const before = byUser.get(owner.id)
      const { id: userId, email, name } = owner
      const joinedAt = before?.joinedAt ?? now
      byUser.set(userId, { userId, role: 'owner', since: list.accessId, joinedAt, email, name })
    }
    return [...byUser.values()]
  }

  function accountOf({ role, email }: AccessEntry): User | undefined {
    return role === null || email === '' ? undefined : users.byEmail(email)
  }
}

/** The access list as it is in a copy. */
export function inCopy(list: AccessList): AdminAnswer<'spaces export'>['space']['list'] {
  return { ...list, accessIds: [...list.accessIds], entries: [...list.entries] }
}
