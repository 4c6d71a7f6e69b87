import {
  spaceSchema,
  SyncError,
  type RoleName,
  type SpaceId,
  type SpaceIdentity,
  type SpaceSummary,
  type UserId,
} from '@t69/protocol'
import { z } from 'zod'

import type { SpaceInfo } from '../api.ts'
import type { Runtime } from '../runtime/index.ts'
import { isLocalUri, serverUri, type ClientStorage, type StoredSpace, unsynced } from '../storage/index.ts'
import type { Account } from './account.ts'

/** The spaces that this device has stored, and those that the server last listed for the user. */
export interface SpaceDirectory {
  /** Oldest first. Waits a few seconds for the server's list, and otherwise uses the last known one. */
  list(): Promise<SpaceInfo[]>
  /**
   * Returns a stored space. One of the last known list is stored first, empty. Undefined for one of which only the server may
   * know. Throws `not_found` if nobody is signed in; and for a space that is locked `unauthenticated`, or `forbidden` while
   * somebody else is signed in.
   */
  find(spaceId: SpaceId): Promise<StoredSpace | undefined>
  /** Asks the server for a space, and stores it, empty. Throws as `find`, and what the server answers. */
  fetch(spaceId: SpaceId): Promise<StoredSpace>
  /** Begins to store a space that the server has shown to this user, empty. Throws as `find`. */
  keep(space: ListedSpace, userId: UserId): KeptSpace
  /** The user's role in the last known list of the server; null if it does not have the space of this identity. */
  roleOf(spaceId: SpaceId, identity: SpaceIdentity | null): RoleName | null
  /** Whether the last known list has another space of this id. */
  hasOther(spaceId: SpaceId, identity: SpaceIdentity | null): boolean
  /** Adds or replaces a space in the last known list. */
  remember(space: SpaceSummary): Promise<void>
  /** Removes a space from the last known list. */
  forget(spaceId: SpaceId): Promise<void>
  /** Removes a user's last known list from this device. */
  forgetUser(userId: UserId): Promise<void>
}

/** A space of the server's list. A list that was stored before spaces had an identity does not name it. */
const listedSchema = spaceSchema.extend({ identity: spaceSchema.shape.identity.optional() })
type ListedSpace = z.output<typeof listedSchema>

/** A space, and when it is stored. */
interface KeptSpace {
  readonly found: StoredSpace
  readonly stored: Promise<void>
}

const isOther = (listed: ListedSpace, identity: SpaceIdentity | null): boolean =>
  identity !== null && listed.identity !== undefined && listed.identity !== identity

export interface SpaceDirectoryDeps {
  /** The server's normal address: see `parseServerUrl`. */
  readonly server: string
  readonly storage: ClientStorage
  readonly account: Account
  readonly runtime: Runtime
  /** Called when a stored space has taken over a new name from the server. */
  readonly onRenamed: () => void
}

/** How long `list` waits for the server before it uses the last known list, in ms. A person waits for the result. */
const patienceMs = 4_000

export function createSpaceDirectory(deps: SpaceDirectoryDeps): SpaceDirectory {
  const { server, storage, account, runtime } = deps
  let known: { userId: UserId; spaces: readonly ListedSpace[] } | null = null
  /** The number of the last revision of the list: a request to the server, or a change made by this device. */
  let lastRevision = 0
  /** The revision that `known` shows. */
  let shownRevision = 0
  const configKey = (userId: UserId): string => account.configKey(`syncSpaces:${userId}`)

  async function remembered(): Promise<readonly ListedSpace[]> {
    const userId = account.user?.id
    if (userId === undefined) return []
    if (known?.userId !== userId) {
      const parsed = z.array(listedSchema).safeParse(await storage.getConfig(configKey(userId)))
      known = { userId, spaces: parsed.data ?? [] }
    }
    return known.spaces
  }

  async function show(spaces: readonly ListedSpace[], revision: number): Promise<void> {
    const userId = account.user?.id
    if (userId === undefined) return
    shownRevision = revision
    known = { userId, spaces }
    await storage.putConfig(configKey(userId), spaces)
  }

  async function fromServer(): Promise<readonly ListedSpace[]> {
    const userId = account.user?.id
    const revision = ++lastRevision
    const spaces = await account.listSpaces()
    // Too late: somebody else has signed in, or a newer revision is shown.
    if (account.user?.id !== userId || revision < shownRevision) return remembered()
    await show(spaces, revision)
    return spaces
  }

  async function latest(): Promise<readonly ListedSpace[]> {
    if (account.user === null) return remembered()
    let cancel = (): void => {}
    const patience = new Promise<undefined>((resolve) => {
      cancel = runtime.setTimer(() => resolve(undefined), patienceMs)
    })
    const spaces = await Promise.race([fromServer().catch(() => undefined), patience])
    cancel()
    return spaces ?? remembered()
  }

  const listedOf = (spaceId: SpaceId): ListedSpace | undefined =>
    known?.spaces.find(({ id }) => id === spaceId)

  /** Whether the space that the server lists is the one that is stored under its id. */
  async function isThisSpace({ id, uri }: StoredSpace, listed: ListedSpace): Promise<boolean> {
    // No server knows it yet: if one lists its id, somebody else has registered that.
    if (isLocalUri(uri)) return false
    return !isOther(listed, (await storage.getSyncState(id))?.identity ?? null)
  }

  /** The spaces of the user who is signed in, to whom the server has listed `known`. */
  async function infosOf(known: readonly ListedSpace[]): Promise<SpaceInfo[]> {
    const asking = account.user?.id
    const remote = new Map(known.map((space) => [space.id, space]))
    const infos: SpaceInfo[] = []
    const keptForOthers = new Set<SpaceId>()
    let renamed = false
    for (const space of await storage.listSpaces()) {
      if (!account.mayUse(space)) {
        keptForOthers.add(space.id)
        continue
      }
      const listed = space.userId === null ? undefined : remote.get(space.id)
      remote.delete(space.id)
      const onServer = listed !== undefined && (await isThisSpace(space, listed)) ? listed : undefined
      if (onServer !== undefined && onServer.name !== space.name) {
        await storage.putSpace({ ...space, name: onServer.name })
        renamed = true
      }
      infos.push({
        id: space.id,
        name: onServer?.name ?? space.name ?? '',
        createdAt: space.createdAt,
        role: onServer?.role ?? (space.userId !== null && isLocalUri(space.uri) ? 'owner' : null),
        synced: space.userId !== null,
        locked: false,
      })
    }
    for (const { id, name, role, createdAt } of remote.values()) {
      const locked = keptForOthers.has(id)
      infos.push({ id, name, role, createdAt: new Date(createdAt), synced: true, locked })
    }
    if (renamed) deps.onRenamed()
    // Somebody else has signed in or out meanwhile: these spaces are not theirs.
    if (account.user?.id !== asking) return infosOf(await remembered())
    return infos.toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1))
  }

  function signedIn(): UserId {
    if (account.user === null) throw new SyncError('not_found', 'This device has no such space')
    return account.user.id
  }

  function keep({ id, identity, name, createdAt }: ListedSpace, userId: UserId): KeptSpace {
    const uri = serverUri(server, id)
    const found: StoredSpace = { id, uri, name, createdAt: new Date(createdAt), userId, server }
    // Stored for the user who asked, and for nobody who has signed in meanwhile.
    refuseLocked(account, found)
    async function store(): Promise<void> {
      await storage.putSpace(found)
      // From here on, no other space of this id is taken for the one that the user has opened.
      await storage.putSyncState(id, { ...unsynced, identity: identity ?? null })
    }
    return { found, stored: store() }
  }

  async function kept(space: ListedSpace, userId: UserId): Promise<StoredSpace> {
    const { found, stored } = keep(space, userId)
    await stored
    return found
  }

  return {
    list: async () => infosOf(await latest()),
    async find(spaceId) {
      // Loads the last known list, from which `roleOf` answers once the space is open.
      await remembered()
      const found = await storage.getSpace(spaceId)
      if (found !== undefined) {
        refuseLocked(account, found)
        return found
      }
      const userId = signedIn()
      const listed = (await remembered()).find(({ id, identity }) => id === spaceId && identity !== undefined)
      return listed && (await kept(listed, userId))
    },
    async fetch(spaceId) {
      const userId = signedIn()
      const call = { method: 'GET', path: `/api/spaces/${spaceId}` } as const
      return kept(await account.call(call, spaceSchema), userId)
    },
    keep,
    roleOf(spaceId, identity) {
      const listed = listedOf(spaceId)
      return listed === undefined || isOther(listed, identity) ? null : listed.role
    },
    hasOther(spaceId, identity) {
      const listed = listedOf(spaceId)
      return listed !== undefined && isOther(listed, identity)
    },
    async remember(space) {
      await show([...(await remembered()).filter(({ id }) => id !== space.id), space], ++lastRevision)
    },
    async forget(spaceId) {
      await show(
        (await remembered()).filter(({ id }) => id !== spaceId),
        ++lastRevision,
      )
    },
    async forgetUser(userId) {
      if (known?.userId === userId) known = null
      await storage.putConfig(configKey(userId), undefined)
    },
  }
}

/** Throws if a space that this device keeps is locked: it is of an account that is not signed in now. */
export function refuseLocked(account: Pick<Account, 'user' | 'mayUse'>, space: StoredSpace): void {
  if (account.mayUse(space)) return
  if (account.user === null)
    throw new SyncError('unauthenticated', 'Sign in to open this space: it is locked')
  throw new SyncError('forbidden', 'This device keeps this space for another account, and it is locked', {
    reason: 'locked',
  })
}
