import {
  renameSpaceBodySchema,
  rightsByRole,
  rightsOf,
  spaceSchema,
  SyncError,
  type Rights,
  type RoleName,
} from '@t69/protocol'

import type { Account, SpaceDirectory } from '../account/index.ts'
import { parseInput } from '../runtime/index.ts'
import { isLocalUri, localUri, unsynced, type ClientStorage, type StoredSpace } from '../storage/index.ts'
import type { Tell } from '../tabs/index.ts'

/** The stored record of a space: its name, its owner, and what the user may do in it. */
export interface SpaceRecord {
  readonly stored: StoredSpace
  /** Reads the record again: another tab or the engine may have changed it. */
  reread(): Promise<void>
  /** Writes the record into a storage that was emptied. */
  putBack(): Promise<void>
  /** The user's role; null while the space is local, or while no role is known. `reported` is the leader's. */
  role(reported: RoleName | null): RoleName | null
  rights(reported: RoleName | null): Rights
  /** Renames the space for everybody. */
  rename(name: string): Promise<void>
  /** Makes a local space a synced one of the signed-in user. `ready` resolves when its edits so far are stored. */
  enableSync(ready: () => Promise<void>): Promise<void>
}

export interface SpaceRecordDeps {
  readonly storage: ClientStorage
  readonly account: Account
  readonly directory: SpaceDirectory
  readonly tell: Tell
  readonly onChange: () => void
}

export function createSpaceRecord(found: StoredSpace, deps: SpaceRecordDeps): SpaceRecord {
  const { storage, account, directory, tell } = deps
  const spaceId = found.id
  let stored = found

  async function put(next: StoredSpace): Promise<void> {
    await storage.putSpace(next)
    stored = next
    tell({ type: 'spaces-changed' })
    deps.onChange()
  }

  // The role that the leader reports, or else that of the last known list, or else owner if no server has the space.
  function role(reported: RoleName | null): RoleName | null {
    if (stored.userId === null) return null
    return reported ?? directory.roleOf(spaceId) ?? (isLocalUri(stored.uri) ? 'owner' : null)
  }

  return {
    get stored() {
      return stored
    },
    async reread() {
      stored = (await storage.getSpace(spaceId)) ?? stored
      deps.onChange()
    },
    putBack: () => storage.putSpace(stored),
    role,
    rights: (reported) =>
      stored.userId === null ? rightsByRole.owner : rightsOf(role(reported) ?? 'editor'),
    async rename(given) {
      const name = parseInput(renameSpaceBodySchema.shape.name, given, 'name')
      if (stored.userId !== null && !isLocalUri(stored.uri)) {
        const path = `/api/spaces/${spaceId}`
        const summary = await account.call({ method: 'PATCH', path, body: { name } }, spaceSchema)
        await directory.remember(summary)
      }
      await put({ ...stored, name })
    },
    async enableSync(ready) {
      const { user } = account
      if (user === null) throw new SyncError('unauthenticated', 'Sign in to sync this space')
      if (stored.userId === user.id) return
      if (stored.userId !== null) throw new SyncError('forbidden', "This is another user's space")
      await ready()
      await storage.putSyncState(spaceId, unsynced)
      await put({ ...stored, uri: localUri(spaceId), userId: user.id })
    },
  }
}
