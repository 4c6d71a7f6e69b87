import {
  createSpaceBodySchema,
  randomHexId,
  rightsOf,
  spaceIdSchema,
  spaceSchema,
  SyncError,
  type SpaceId,
  type SpaceSummary,
} from '@t69/protocol'

import { noReply, type Account, type SpaceDirectory } from '../account/index.ts'
import type { Space } from '../api.ts'
import { parseInput, type Runtime } from '../runtime/index.ts'
import { isLocalUri, localUri, unsynced, type ClientStorage, type StoredSpace } from '../storage/index.ts'
import type { Tell } from '../tabs/index.ts'
import type { OpenSpaces } from './open-spaces.ts'

/** The calls of the client's API that create, open, delete and join spaces. */
export interface SpaceCalls {
  createSpace(name: string): Promise<Space>
  openSpace(spaceId: SpaceId): Promise<Space>
  deleteSpace(spaceId: SpaceId): Promise<void>
  acceptInvite(token: string): Promise<SpaceSummary>
}

export interface SpaceCallsDeps {
  readonly storage: ClientStorage
  readonly runtime: Runtime
  readonly account: Account
  readonly directory: SpaceDirectory
  readonly spaces: OpenSpaces
  readonly tell: Tell
  /** Stops syncing the space if this tab leads. */
  readonly stopSync: (spaceId: SpaceId) => Promise<void>
}

export function createSpaceCalls(deps: SpaceCallsDeps): SpaceCalls {
  const { storage, account, directory, spaces, tell } = deps

  /** Deletes the space from the server, if it is there and the user may delete it. */
  async function deleteEverywhere(spaceId: SpaceId, found: StoredSpace | undefined): Promise<void> {
    if (found?.userId === null || (found !== undefined && isLocalUri(found.uri))) return
    // If only the server has the space, the server decides whether the user may delete it.
    if (found !== undefined && !rightsOf(directory.roleOf(spaceId)).delete) return
    if (account.user === null) return
    await account
      .call({ method: 'DELETE', path: `/api/spaces/${spaceId}` }, noReply)
      .catch((error: unknown) => {
        if (!(error instanceof SyncError) || error.code !== 'not_found') throw error
      })
    await directory.forget(spaceId)
  }

  return {
    async createSpace(given) {
      const name = parseInput(createSpaceBodySchema.shape.name, given, 'name')
      const id = spaceIdSchema.parse(randomHexId())
      const userId = account.user?.id ?? null
      const createdAt = new Date(deps.runtime.now())
      const made: StoredSpace = { id, uri: localUri(id), name, createdAt, userId }
      await storage.putSpace(made)
      if (userId !== null) await storage.putSyncState(id, unsynced)
      const space = await spaces.open(made, true)
      tell({ type: 'spaces-changed' })
      return space
    },
    async openSpace(spaceId) {
      // If the space is being closed, its last edits may not be on the disk yet.
      await spaces.get(spaceId)?.closing?.catch(() => {})
      const before = spaces.get(spaceId)
      if (before !== undefined) return before.space
      const found = await directory.find(spaceId)
      return spaces.get(spaceId)?.space ?? spaces.open(found, false)
    },
    async deleteSpace(spaceId) {
      const found = await storage.getSpace(spaceId)
      const mayBeOnServer = found?.userId !== null
      if (mayBeOnServer && directory.roleOf(spaceId) === null) await directory.list()
      await deleteEverywhere(spaceId, found)
      spaces.get(spaceId)?.abandon()
      await deps.stopSync(spaceId)
      await storage.deleteSpace(spaceId)
      tell({ type: 'space-deleted', spaceId })
    },
    async acceptInvite(token) {
      const summary = await account.call(
        { method: 'POST', path: `/api/invites/${encodeURIComponent(token)}/accept` },
        spaceSchema,
      )
      await directory.remember(summary)
      tell({ type: 'rejoin', spaceId: summary.id })
      tell({ type: 'spaces-changed' })
      return summary
    },
  }
}
