import {
  accessIdSchema,
  randomHexId,
  rightsOf,
  spaceIdentitySchema,
  SyncError,
  type AccessId,
  type RegistrationId,
  type Role,
  type SpaceId,
  type SpaceIdentity,
  type UserId,
} from '@t69/protocol'
import {
  newerEntries,
  rank,
  removed,
  type Access,
  type AccessEntry,
  type AccessInLogs,
  type AccessList,
  type SpaceAccessLists,
} from '@t69/server'

/** The body of a registration. */
export interface Registration {
  readonly id: SpaceId
  readonly name: string
  readonly registration?: RegistrationId | undefined
  readonly seal?: string | undefined
}

/**
 * Which spaces there are, and who is a member: the content of `platform.sqlite`, in memory. Users are never lost here.
 * A restored copy is an older one of all of it.
 */
export interface SimAccounts extends Access, SpaceAccessLists, AccessInLogs {
  /** Called after each change of a space's members. */
  onChange: (spaceId: SpaceId) => void
  /** Registers a space as `POST /api/spaces` does. Throws what that refuses. */
  register(body: Registration, caller: UserId): void
  add(spaceId: SpaceId, userId: UserId, role: Role): void
  /** Removes a member. Returns false if there is none, or no owner would be left. */
  remove(spaceId: SpaceId, userId: UserId): boolean
  /** Deletes a space for everybody. Its id is not given out again. */
  delete(spaceId: SpaceId): void
  /** Whether the present space of this id knows that the user was removed. */
  wasRemoved(spaceId: SpaceId, userId: UserId): boolean
  spacesOf(userId: UserId): SpaceId[]
  backUp(): void
  /** Restores what `backUp` saved last: at first, a server without any space. */
  restore(): void
}

interface SimSpace {
  readonly identity: SpaceIdentity
  readonly registration: RegistrationId | undefined
  readonly name: string
  accessId: AccessId
  /** All that this server has made or seen, oldest first. */
  readonly accessIds: Set<AccessId>
  readonly entries: Map<UserId, AccessEntry>
}

interface State {
  readonly spaces: Map<SpaceId, SimSpace>
  readonly deleted: Set<SpaceId>
}

const newAccessId = (): AccessId => accessIdSchema.parse(randomHexId())

/** A seal is not secret here: what keeps others from making one is not part of the simulation. */
export const openSeal = (seal: string): AccessList => JSON.parse(seal) as AccessList

export function createSimAccounts(): SimAccounts {
  let state: State = { spaces: new Map(), deleted: new Set() }
  let backup = structuredClone(state)

  function listOf(spaceId: SpaceId, space: SimSpace): AccessList {
    const { identity, accessId, accessIds, entries } = space
    const [ids, listed] = [[...accessIds], [...entries.values()]]
    return { spaceId, identity, createdAt: 0, accessId, accessIds: ids, entries: listed }
  }

  function find(spaceId: SpaceId): SimSpace {
    const space = state.spaces.get(spaceId)
    if (space === undefined) throw new SyncError('not_found', 'There is no such space')
    return space
  }

  function change(spaceId: SpaceId, work: (space: SimSpace, accessId: AccessId) => void): void {
    const space = find(spaceId)
    space.accessId = newAccessId()
    space.accessIds.add(space.accessId)
    work(space, space.accessId)
    accounts.onChange(spaceId)
  }

  function see(space: SimSpace, list: AccessList): void {
    for (const { since } of list.entries) space.accessIds.add(since)
    for (const id of [...list.accessIds, list.accessId]) space.accessIds.add(id)
  }

  function merge(list: AccessList): void {
    if (find(list.spaceId).accessIds.has(list.accessId)) return
    change(list.spaceId, (space, accessId) => {
      const mine = { entries: [...space.entries.values()] }
      const newer = newerEntries(mine, list, (id) => id !== accessId && space.accessIds.has(id))
      for (const entry of newer) space.entries.set(entry.userId, entry)
      see(space, list)
      if (hasOwner(space)) return
      for (const entry of list.entries) {
        if (rank(entry.role) === rank('owner')) space.entries.set(entry.userId, { ...entry, since: accessId })
      }
    })
  }

  function registerAgain(list: AccessList, name: string): void {
    const space: SimSpace = {
      identity: list.identity,
      registration: undefined,
      name,
      accessId: list.accessId,
      accessIds: new Set(),
      entries: new Map(list.entries.map((entry) => [entry.userId, entry])),
    }
    see(space, list)
    state.spaces.set(list.spaceId, space)
    change(list.spaceId, () => {})
  }

  const accounts: SimAccounts = {
    onChange: () => {},
    roleOf: (spaceId, userId) => state.spaces.get(spaceId)?.entries.get(userId)?.role ?? undefined,
    of: (spaceId) => {
      const space = state.spaces.get(spaceId)
      return space && { ...space, createdAt: 0 }
    },
    knows: (spaceId, accessId) => state.spaces.get(spaceId)?.accessIds.has(accessId) === true,
    seal(spaceId) {
      const list = listOf(spaceId, find(spaceId))
      return { accessId: list.accessId, seal: JSON.stringify(list) }
    },
    merged(spaceId, kept) {
      const space = state.spaces.get(spaceId)
      if (space === undefined || kept?.accessId === space.accessId) return undefined
      if (kept?.identity === space.identity) merge(openSeal(kept.seal))
      return { identity: space.identity, ...accounts.seal(spaceId) }
    },

    register({ id, name, registration, seal }, caller) {
      const list = seal === undefined ? undefined : openSeal(seal)
      const space = state.spaces.get(id)
      if (list !== undefined && (list.spaceId !== id || (space && space.identity !== list.identity)))
        throw new SyncError('invalid_request', 'This is not a seal of the space', { at: 'seal' })
      const isOwner = list?.entries.some(({ userId, role }) => userId === caller && rightsOf(role ?? '').own)
      const isMember = accounts.roleOf(id, caller) !== undefined
      if (space !== undefined) {
        const isOwn = isMember && (registration === undefined || registration === space.registration)
        if (list === undefined ? !isOwn : !(isMember || isOwner))
          throw new SyncError('already_exists', 'Another space has this id', { reason: 'id_taken' })
        if (list !== undefined) merge(list)
        if (accounts.roleOf(id, caller) === undefined) throw new SyncError('not_found', 'No such space')
      } else if (state.deleted.has(id)) {
        throw new SyncError('already_exists', 'A space with this id was deleted', { reason: 'id_taken' })
      } else if (list === undefined) {
        const identity = spaceIdentitySchema.parse(randomHexId())
        const accessId = newAccessId()
        const accessIds = new Set([accessId])
        state.spaces.set(id, { identity, registration, name, accessId, accessIds, entries: new Map() })
        accounts.add(id, caller, 'owner')
      } else if (isOwner) {
        registerAgain(list, name)
      } else {
        throw new SyncError('forbidden', 'Only an owner can register the space again', {
          reason: 'owner_needed',
        })
      }
    },
    add: (spaceId, userId, role) =>
      change(spaceId, ({ entries }, since) => {
        if (accounts.roleOf(spaceId, userId) === undefined)
          entries.set(userId, { userId, role, since, joinedAt: 0, email: '', name: '' })
      }),
    remove(spaceId, userId) {
      const space = state.spaces.get(spaceId)
      const entry = space?.entries.get(userId)
      if (space === undefined || entry === undefined || entry.role === null) return false
      const others = new Map([...space.entries].filter(([id]) => id !== userId))
      if (!hasOwner({ entries: others })) return false
      change(spaceId, ({ entries }, since) => entries.set(userId, removed(entry, since)))
      return true
    },
    delete(spaceId) {
      state.spaces.delete(spaceId)
      state.deleted.add(spaceId)
    },
    wasRemoved: (spaceId, userId) => state.spaces.get(spaceId)?.entries.get(userId)?.role === null,
    spacesOf: (userId) =>
      Array.from(state.spaces.keys()).filter((spaceId) => accounts.roleOf(spaceId, userId) !== undefined),
    backUp() {
      backup = structuredClone(state)
    },
    restore() {
      state = structuredClone(backup)
    },
  }
  return accounts
}

const hasOwner = ({ entries }: Pick<SimSpace, 'entries'>): boolean =>
  [...entries.values()].some(({ role }) => rightsOf(role ?? '').own)
