import {
  renameSpaceBodySchema,
  rightsByRole,
  rightsOf,
  spaceSchema,
  SyncError,
  type Rights,
  type RoleName,
  type SpaceIdentity,
} from '@t69/protocol'

import { refuseLocked, type Account, type SpaceDirectory } from '../account/index.ts'
import { otherSpace } from '../machine/index.ts'
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
  /** Which space this is, as far as it is known. It outlives a storage that was emptied. */
  readonly identity: SpaceIdentity | null
  /** The leader has learned which space this is. */
  identified(identity: SpaceIdentity): void
  /** Throws `other_space` if the server's list has another space in the place of this one. */
  ensureThisSpace(): void
  /** The user's role; null while the space is local, or while no role is known. `reported` is the leader's. */
  role(reported: RoleName | null): RoleName | null
  rights(reported: RoleName | null): Rights
  /** Renames the space for everybody. `ensureThisSpace` throws while the server's space is another one. */
  rename(name: string, ensureThisSpace: () => void): Promise<void>
  /** Makes a local space a synced one of the signed-in user. `ready` resolves when its edits so far are stored. */
  enableSync(ready: () => Promise<void>): Promise<void>
}

export interface SpaceRecordDeps {
  /** The server's normal address: see `parseServerUrl`. */
  readonly server: string
  readonly storage: ClientStorage
  readonly account: Account
  readonly directory: SpaceDirectory
  readonly tell: Tell
  readonly onChange: () => void
}

export function createSpaceRecord(found: StoredSpace, deps: SpaceRecordDeps): SpaceRecord {
  const { server, storage, account, directory, tell } = deps
  const spaceId = found.id
  let stored = found
  let identity: SpaceIdentity | null = null

  async function put(next: StoredSpace): Promise<void> {
    await storage.putSpace(next)
    stored = next
    tell({ type: 'spaces-changed' })
    deps.onChange()
  }

  // The role that the leader reports, or else owner if no server has the space, or else that of the last known list.
  function role(reported: RoleName | null): RoleName | null {
    if (stored.userId === null) return null
    return reported ?? (isLocalUri(stored.uri) ? 'owner' : directory.roleOf(spaceId, identity))
  }

  async function readIdentity(): Promise<void> {
    identity = (await storage.getSyncState(spaceId))?.identity ?? identity
  }

  function ensureThisSpace(): void {
    if (directory.hasOther(spaceId, identity)) throw SyncError.from(otherSpace)
  }

  // Without a connection, nobody reports it. A storage that cannot be read now is read again at the next change.
  void readIdentity().catch(() => {})

  return {
    get stored() {
      return stored
    },
    async reread() {
      stored = (await storage.getSpace(spaceId)) ?? stored
      await readIdentity()
      deps.onChange()
    },
    get identity() {
      return identity
    },
    identified(known) {
      identity = known
    },
    ensureThisSpace,
    putBack: () => storage.putSpace(stored),
    role,
    rights: (reported) =>
      stored.userId === null ? rightsByRole.owner : rightsOf(role(reported) ?? 'editor'),
    async rename(given, ensureIsThis) {
      const name = parseInput(renameSpaceBodySchema.shape.name, given, 'name')
      // The leading tab may have registered the space meanwhile.
      stored = (await storage.getSpace(spaceId)) ?? stored
      if (stored.userId !== null && !isLocalUri(stored.uri)) {
        ensureIsThis()
        const path = `/api/spaces/${spaceId}`
        const summary = await account.call({ method: 'PATCH', path, body: { name } }, spaceSchema)
        await directory.remember(summary)
      }
      await put({ ...stored, name })
    },
    async enableSync(ready) {
      const { user } = account
      if (user === null) throw new SyncError('unauthenticated', 'Sign in to sync this space')
      refuseLocked(account, stored)
      if (stored.userId !== null) return
      await ready()
      if (account.user?.id !== user.id) throw new SyncError('unauthenticated', 'Sign in to sync this space')
      await storage.putSyncState(spaceId, unsynced)
      await put({ ...stored, uri: localUri(spaceId), userId: user.id, server })
    },
  }
}
