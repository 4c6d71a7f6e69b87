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

/** Which spaces there are: what this device has, and what the server last said of the user's. */
export interface SpaceDirectory {
  list(): Promise<SpaceInfo[]>
  /** The space as this device has it; one that only the server has begins here, empty. Throws `not_found`. */
  find(spaceId: SpaceId): Promise<StoredSpace>
  /** As the server last said; null when it said nothing. */
  roleOf(spaceId: SpaceId): RoleName | null
  /** The server's list is another since the last time: asked anew, or remembered so. */
  remember(space: SpaceSummary): Promise<void>
  forget(spaceId: SpaceId): Promise<void>
}

export interface SpaceDirectoryDeps {
  readonly url: string
  readonly storage: ClientStorage
  readonly account: Account
  readonly runtime: Runtime
  /** The server calls a space of this device otherwise, and this device now does too. */
  readonly onRenamed: () => void
}

/** A list that takes longer is shown as it was; someone waits for it. */
const patienceMs = 4_000

export function createSpaceDirectory(deps: SpaceDirectoryDeps): SpaceDirectory {
  const { url, storage, account, runtime } = deps
  let known: { userId: string; spaces: readonly SpaceSummary[] } | null = null
  /** Counts what may change the list: questions to the server, and what this device did itself. */
  let turns = 0
  /** The latest of them that the list shows. */
  let shown = 0
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

  async function take(spaces: readonly SpaceSummary[], turn: number): Promise<void> {
    const userId = account.user?.id
    if (userId === undefined) return
    shown = turn
    known = { userId, spaces }
    await storage.putConfig(configKey(userId), spaces)
  }

  async function fromServer(): Promise<readonly SpaceSummary[]> {
    const userId = account.user?.id
    const turn = ++turns
    const { spaces } = await account.call({ method: 'GET', path: '/api/spaces' }, spaceListSchema)
    // Too late: somebody else has signed in, or something newer is shown.
    if (account.user?.id !== userId || turn < shown) return remembered()
    await take(spaces, turn)
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
        const there = space.userId === null ? undefined : remote.get(space.id)
        remote.delete(space.id)
        if (there !== undefined && there.name !== space.name) {
          await storage.putSpace({ ...space, name: there.name })
          renamed = true
        }
        infos.push({
          id: space.id,
          name: there?.name ?? space.name ?? '',
          createdAt: space.createdAt,
          role: there?.role ?? (space.userId !== null && isLocalUri(space.uri) ? 'owner' : null),
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
      await remembered()
      const here = await storage.getSpace(spaceId)
      if (here !== undefined) return here
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
      await take([...(await remembered()).filter(({ id }) => id !== space.id), space], ++turns)
    },
    async forget(spaceId) {
      await take(
        (await remembered()).filter(({ id }) => id !== spaceId),
        ++turns,
      )
    },
  }
}
