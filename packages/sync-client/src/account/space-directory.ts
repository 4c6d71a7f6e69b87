import {
  spaceListSchema,
  spaceSchema,
  SyncError,
  type RoleName,
  type SpaceId,
  type SpaceSummary,
} from '@t69/protocol'

import type { SpaceInfo } from '../api.ts'
import type { Runtime } from '../runtime/index.ts'
import { type ClientStorage, isLocalUri, serverUri, type StoredSpace, unsynced } from '../storage/index.ts'
import type { Account } from './account.ts'

/** The spaces that this device has stored, and those that the server last listed for the user. */
export interface SpaceDirectory {
  /** Oldest first. Waits a few seconds for the server's list, and otherwise uses the last known one. */
  list(): Promise<SpaceInfo[]>
  /** Returns a stored space. One that only the server has is stored first, empty. Throws `not_found`. */
  find(spaceId: SpaceId): Promise<StoredSpace>
  /** The user's role in the last known list of the server; null if the space is not in it. */
  roleOf(spaceId: SpaceId): RoleName | null
  /** Adds or replaces a space in the last known list. */
  remember(space: SpaceSummary): Promise<void>
  /** Removes a space from the last known list. */
  forget(spaceId: SpaceId): Promise<void>
}

export interface SpaceDirectoryDeps {
  readonly url: string
  readonly storage: ClientStorage
  readonly account: Account
  readonly runtime: Runtime
  /** Called when a stored space has taken over a new name from the server. */
  readonly onRenamed: () => void
}

/** How long `list` waits for the server before it uses the last known list, in ms. A person waits for the result. */
const patienceMs = 4_000

export function createSpaceDirectory(deps: SpaceDirectoryDeps): SpaceDirectory {
  const { url, storage, account, runtime } = deps
  let known: { userId: string; spaces: readonly SpaceSummary[] } | null = null
  /** The number of the last revision of the list: a request to the server, or a change made by this device. */
  let lastRevision = 0
  /** The revision that `known` shows. */
  let shownRevision = 0
  const configKey = (userId: string): string => `syncSpaces:${userId}`

  async function remembered(): Promise<readonly SpaceSummary[]> {
    const userId = account.ownerId
    if (userId === null) return []
    if (known?.userId !== userId) {
      const parsed = spaceListSchema.safeParse({ spaces: await storage.getConfig(configKey(userId)) })
      known = { userId, spaces: parsed.data?.spaces ?? [] }
    }
    return known.spaces
  }

  async function show(spaces: readonly SpaceSummary[], revision: number): Promise<void> {
    const userId = account.user?.id
    if (userId === undefined) return
    shownRevision = revision
    known = { userId, spaces }
    await storage.putConfig(configKey(userId), spaces)
  }

  async function fromServer(): Promise<readonly SpaceSummary[]> {
    const userId = account.user?.id
    const revision = ++lastRevision
    const { spaces } = await account.call({ method: 'GET', path: '/api/spaces' }, spaceListSchema)
    // Too late: somebody else has signed in, or a newer revision is shown.
    if (account.user?.id !== userId || revision < shownRevision) return remembered()
    await show(spaces, revision)
    return spaces
  }

  async function latest(): Promise<readonly SpaceSummary[]> {
    if (account.user === null) return remembered()
    let cancel = (): void => {}
    const patience = new Promise<undefined>((resolve) => {
      cancel = runtime.setTimer(() => resolve(undefined), patienceMs)
    })
    const spaces = await Promise.race([fromServer().catch(() => undefined), patience])
    cancel()
    return spaces ?? remembered()
  }

  return {
    async list() {
      const remote = new Map((await latest()).map((space) => [space.id, space]))
      const owner = account.ownerId
      const infos: SpaceInfo[] = []
      let renamed = false
      for (const space of await storage.listSpaces()) {
        if (space.userId !== null && space.userId !== owner && !account.isGone(space.userId)) continue
        const onServer = space.userId === null ? undefined : remote.get(space.id)
        remote.delete(space.id)
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
        })
      }
      for (const { id, name, role, createdAt } of remote.values()) {
        infos.push({ id, name, role, createdAt: new Date(createdAt), synced: true })
      }
      if (renamed) deps.onRenamed()
      return infos.toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1))
    },
    async find(spaceId) {
      // Loads the last known list, from which `roleOf` answers once the space is open.
      await remembered()
      const found = await storage.getSpace(spaceId)
      if (found !== undefined) return found
      const user = account.user
      if (user === null) throw new SyncError('not_found', 'This device has no such space')
      const listed = (await remembered()).find((space) => space.id === spaceId)
      const space =
        listed ?? (await account.call({ method: 'GET', path: `/api/spaces/${spaceId}` }, spaceSchema))
      const stored: StoredSpace = {
        id: spaceId,
        uri: serverUri(url, spaceId),
        name: space.name,
        createdAt: new Date(space.createdAt),
        userId: user.id,
      }
      await storage.putSpace(stored)
      await storage.putSyncState(spaceId, unsynced)
      return stored
    },
    roleOf: (spaceId) => known?.spaces.find((space) => space.id === spaceId)?.role ?? null,
    async remember(space) {
      await show([...(await remembered()).filter(({ id }) => id !== space.id), space], ++lastRevision)
    },
    async forget(spaceId) {
      await show(
        (await remembered()).filter(({ id }) => id !== spaceId),
        ++lastRevision,
      )
    },
  }
}
