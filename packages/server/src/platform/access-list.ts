import {
  rightsOf,
  type AccessId,
  type RoleName,
  type SpaceId,
  type SpaceIdentity,
  type UserId,
} from '@t69/protocol'

/** What a server knows of one user in a space. */
export interface AccessEntry {
  readonly userId: UserId
  /** Null for a member who was removed. */
  readonly role: RoleName | null
  /** The access id with which the entry became as it is. */
  readonly since: AccessId
  /** Unix milliseconds. */
  readonly joinedAt: number
  /** Empty for a member who was removed. */
  readonly email: string
  readonly name: string
}

/** Who was in a space at one moment: the content of its seal (SPEC.md, "Identity"). */
export interface AccessList {
  readonly spaceId: SpaceId
  readonly identity: SpaceIdentity
  /** Undefined in a list from before lists had it. */
  readonly name?: string | undefined
  /** Unix milliseconds. */
  readonly createdAt: number
  readonly accessId: AccessId
  /** The changes that the list has seen, by their access ids, oldest first. Of a long history, the newest. */
  readonly accessIds: readonly AccessId[]
  readonly entries: readonly AccessEntry[]
}

/**
 * The entries that replace those of `mine`, when `theirs` is another list of the space, kept by a server that was restored
 * from a copy. Each change has a random id, and a list has the ids of all changes that it has seen. So of two entries for
 * one user, the later one is the one whose list has seen the other. Where neither has, each changed without the other, and
 * the one with fewer rights counts: nobody who was removed comes back.
 *
 * If somebody loses a right by that, nobody keeps one that they got in `mine` without `theirs` having seen it: the link
 * that let them in may have been withdrawn, and the owner who gave it may have been none any more.
 *
 * `knows` tells whether `mine` has seen a change: its own list of ids may be cut.
 */
export function newerEntries(
  mine: Pick<AccessList, 'entries'>,
  theirs: AccessList,
  knows: (accessId: AccessId) => boolean,
): AccessEntry[] {
  const seen = new Set([...theirs.accessIds, ...theirs.entries.map(({ since }) => since)])
  const own = new Map(mine.entries.map((entry) => [entry.userId, entry]))
  const listed = new Map(theirs.entries.map((entry) => [entry.userId, entry]))
  const newer = theirs.entries.filter((entry) => {
    const before = own.get(entry.userId)
    if (knows(entry.since)) return false
    return before === undefined || seen.has(before.since) || rank(entry.role) < rank(before.role)
  })
  // They were removed there, so long ago that the list has forgotten it.
  const forgotten = mine.entries.filter(
    ({ userId, role, since }) => role !== null && !listed.has(userId) && seen.has(since),
  )
  const later = [...newer, ...forgotten.map((entry) => removed(entry, theirs.accessId))]
  if (!takesRights(mine, later)) return later
  const doubtful = mine.entries.filter(
    ({ userId, role, since }) => !seen.has(since) && rank(listed.get(userId)?.role ?? null) < rank(role),
  )
  const replaced = doubtful.map((entry) => listed.get(entry.userId) ?? removed(entry, theirs.accessId))
  return [...later, ...replaced]
}

/**
 * The name in `theirs`, if it counts. It is later if the list has seen all that `mine` has gone through. Where each changed
 * without the other, the space keeps its name, unless somebody loses a right by `newer`, the entries of `theirs` that count:
 * they may have renamed it when they had none any more.
 */
export function newerName(
  mine: Pick<AccessList, 'accessId' | 'entries'>,
  theirs: AccessList,
  newer: readonly AccessEntry[],
): string | undefined {
  const isLater = theirs.accessIds.includes(mine.accessId)
  return isLater || takesRights(mine, newer) ? theirs.name : undefined
}

/** Whether somebody of the list has fewer rights by these entries, or is removed by them. */
export function takesRights(list: Pick<AccessList, 'entries'>, entries: readonly AccessEntry[]): boolean {
  const before = new Map(list.entries.map(({ userId, role }) => [userId, role]))
  return entries.some(({ userId, role }) => role === null || rank(role) < rank(before.get(userId) ?? null))
}

export function removed(entry: AccessEntry, since: AccessId): AccessEntry {
  return { ...entry, role: null, since, email: '', name: '' }
}

/** How many rights a role has; fewer than none for a member who was removed. */
export function rank(role: RoleName | null): number {
  return role === null ? -1 : Object.values(rightsOf(role)).filter(Boolean).length
}
