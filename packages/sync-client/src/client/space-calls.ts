import {
  createSpaceBodySchema,
  invitePreviewSchema,
  inviteTokenSchema,
  randomHexId,
  rightsOf,
  spaceIdSchema,
  spaceSchema,
  SyncError,
  type InvitePreview,
  type RoleName,
  type SpaceId,
  type SpaceSummary,
  type UserId,
} from '@t69/protocol'

import { noReply, refuseLocked, type Account, type Http, type SpaceDirectory } from '../account/index.ts'
import type { ImportedTree, Space } from '../api.ts'
import type { EnteredSpace, SyncEngine } from '../engine/index.ts'
import { parseInput, type Runtime } from '../runtime/index.ts'
import {
  isLocalUri,
  localUri,
  unsynced,
  type ClientStorage,
  type PageJournal,
  type StoredSpace,
} from '../storage/index.ts'
import type { Tell } from '../tabs/index.ts'
import { copyOps } from './copy-space.ts'
import type { OpenSpaces } from './open-spaces.ts'
import type { UnfinishedSpaces } from './unfinished-spaces.ts'

/** The calls of the client's API that create, open, delete and join spaces. */
export interface SpaceCalls {
  createSpace(name: string): Promise<Space>
  openSpace(spaceId: SpaceId): Promise<Space>
  copySpace(spaceId: SpaceId, name: string): Promise<Space>
  importSpace(
    name: string,
    trees: AsyncIterable<ImportedTree> | Iterable<ImportedTree>,
    signal: AbortSignal | undefined,
  ): Promise<SpaceId>
  deleteSpace(spaceId: SpaceId): Promise<void>
  /** Removes a space from this device alone. */
  removeHere(spaceId: SpaceId): Promise<void>
  previewInvite(token: string): Promise<InvitePreview>
  acceptInvite(token: string): Promise<SpaceSummary>
}

export interface SpaceCallsDeps {
  /** The server's normal address: see `parseServerUrl`. */
  readonly server: string
  readonly storage: ClientStorage
  readonly journal: PageJournal
  readonly runtime: Runtime
  readonly http: Http
  readonly account: Account
  readonly directory: SpaceDirectory
  readonly spaces: OpenSpaces
  readonly unfinished: UnfinishedSpaces
  readonly tell: Tell
  /** As `SyncEngine.enter`, if this tab leads; otherwise resolves with undefined. */
  readonly enter: SyncEngine['enter']
  /** Stops syncing the space if this tab leads. */
  readonly stopSync: (spaceId: SpaceId) => Promise<void>
}

/** A token that goes into a path. Text that is none, such as "..", could lead to another path. */
const pathTokenSchema = inviteTokenSchema.regex(/^[\w-]+$/, 'must be letters, digits, "_" or "-"')

export function createSpaceCalls(deps: SpaceCallsDeps): SpaceCalls {
  const { server, storage, journal, account, directory, spaces, unfinished, tell } = deps

  /** Deletes the space from the server, if it is there and the user may delete it. */
  async function deleteEverywhere(spaceId: SpaceId, found: StoredSpace | undefined): Promise<void> {
    if (found?.userId === null || (found !== undefined && isLocalUri(found.uri))) return
    // If only the server has the space, the server decides whether the user may delete it.
    if (found !== undefined && !rightsOf(await roleIn(spaceId)).delete) return
    if (account.user === null) return
    await unlessGone(account.call({ method: 'DELETE', path: `/api/spaces/${spaceId}` }, noReply))
    await directory.forget(spaceId)
  }

  /**
   * The user's role in a space that is stored here; null if the server does not have it for the user, or has another one
   * under its id. The last known list may lack a space that the server has: then the server is asked.
   */
  async function roleIn(spaceId: SpaceId): Promise<RoleName | null> {
    const identity = (await storage.getSyncState(spaceId))?.identity ?? null
    const listed = directory.roleOf(spaceId, identity)
    if (listed !== null || directory.hasOther(spaceId, identity)) return listed
    const summary = await unlessGone(
      account.call({ method: 'GET', path: `/api/spaces/${spaceId}` }, spaceSchema),
    )
    const isThisSpace = identity === null || summary?.identity === identity
    return summary !== undefined && isThisSpace ? summary.role : null
  }

  /** What a call answers, or undefined if the server has no such space for the user. */
  async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
    try {
      return await answer
    } catch (error) {
      if (error instanceof SyncError && error.code === 'not_found') return undefined
      throw error
    }
  }

  async function removeHere(spaceId: SpaceId): Promise<void> {
    spaces.get(spaceId)?.abandon()
    await deps.stopSync(spaceId)
    await storage.deleteSpace(spaceId)
    journal.forget(spaceId)
    tell({ type: 'space-deleted', spaceId })
  }

  /** Returns the record of a new space of the user, which is not stored yet. */
  function newSpace(givenName: string): StoredSpace {
    const name = parseInput(createSpaceBodySchema.shape.name, givenName, 'name')
    const id = spaceIdSchema.parse(randomHexId())
    const userId = account.user?.id ?? null
    const owner = userId === null ? { userId } : { userId, server }
    return { id, uri: localUri(id), name, createdAt: new Date(deps.runtime.now()), ...owner }
  }

  /** Stores a new space, last of all what belongs to it: one that is interrupted before is in no list. */
  async function store(made: StoredSpace): Promise<void> {
    if (made.userId !== null) await storage.putSyncState(made.id, unsynced)
    await storage.putSpace(made)
    // Somebody else has signed in or out meanwhile.
    if (!account.mayUse(made)) await storage.deleteSpace(made.id)
    refuseLocked(account, made)
  }

  /** Whether what this device has under the id of a space is certainly not that space. */
  async function isOther(stored: StoredSpace, { id, identity }: SpaceSummary): Promise<boolean> {
    const known = (await storage.getSyncState(id))?.identity ?? null
    return stored.userId === null || (known !== null && known !== identity)
  }

  async function openSpace(spaceId: SpaceId): Promise<Space> {
    // If the space is being closed, its last edits may not be on the disk yet.
    await spaces.get(spaceId)?.closing?.catch(() => {})
    await spaces.get(spaceId)?.unlock()
    const before = spaces.get(spaceId)
    if (before?.isLocked === false) return before.space
    const found = await directory.find(spaceId)
    if (found !== undefined) return openFound(found)
    const entered = await deps.enter(spaceId, openEntered)
    return entered === undefined ? openFound(await directory.fetch(spaceId)) : entered.space
  }

  /** Opens a space that is stored here. */
  async function openFound(found: StoredSpace): Promise<Space> {
    refuseLocked(account, found)
    const meanwhile = spaces.get(found.id)
    if (meanwhile === undefined) return spaces.open(found, false)
    return meanwhile.isLocked ? openSpace(found.id) : meanwhile.space
  }

  /** Opens a space that this device has just joined, while it is being stored. */
  function openEntered(
    entered: SpaceSummary,
    userId: UserId,
  ): EnteredSpace & { readonly space: Promise<Space> } {
    if (spaces.get(entered.id) !== undefined) return { space: openSpace(entered.id) }
    const { found, stored } = directory.keep(entered, userId)
    // Told to whoever opens the space, unless it cannot be opened any more.
    stored.catch(() => {})
    const opening = spaces.open(found, false)
    async function opened(): Promise<Space> {
      try {
        await stored
      } catch (error) {
        await spaces.get(found.id)?.close()
        throw error
      }
      return opening
    }
    return { stored, space: opened() }
  }

  return {
    async createSpace(name) {
      const made = newSpace(name)
      await store(made)
      const space = await spaces.open(made, true)
      tell({ type: 'spaces-changed' })
      return space
    },
    openSpace,
    async copySpace(spaceId, name) {
      const made = newSpace(name)
      await spaces.get(spaceId)?.stored()
      const found = await storage.getSpace(spaceId)
      if (found === undefined) throw new SyncError('not_found', 'This device has no such space')
      refuseLocked(account, found)
      await unfinished.make(
        made.id,
        () => copyOps(storage, spaceId, made.id),
        () => store(made),
      )
      const space = await spaces.open(made, false)
      tell({ type: 'spaces-changed' })
      return space
    },
    async importSpace(name, trees, signal) {
      const made = newSpace(name)
      await unfinished.make(
        made.id,
        async () => {
          // Few pages import anything.
          const { importTrees } = await import('./import-space.ts')
          await importTrees(storage, made.id, trees, signal)
          signal?.throwIfAborted()
        },
        () => store(made),
      )
      tell({ type: 'spaces-changed' })
      return made.id
    },
    async deleteSpace(spaceId) {
      const found = await storage.getSpace(spaceId)
      if (found !== undefined) refuseLocked(account, found)
      const mayBeOnServer = found?.userId !== null
      if (mayBeOnServer && directory.roleOf(spaceId, null) === null) await directory.list()
      await deleteEverywhere(spaceId, found)
      await removeHere(spaceId)
    },
    removeHere,
    async previewInvite(token) {
      const call = { method: 'POST', path: '/api/invites/preview', body: { token } } as const
      if (account.user === null) return deps.http.call(call, invitePreviewSchema)
      // Whoever has lost the session meanwhile is answered as anybody.
      return account.call(call, invitePreviewSchema).catch((error: unknown) => {
        if (!(error instanceof SyncError) || error.code !== 'unauthenticated') throw error
        return deps.http.call(call, invitePreviewSchema)
      })
    },
    async acceptInvite(given) {
      const token = parseInput(pathTokenSchema, given, 'token')
      const summary = await account.call(
        { method: 'POST', path: `/api/invites/${token}/accept` },
        spaceSchema,
      )
      await directory.remember(summary)
      tell({ type: 'rejoin', spaceId: summary.id })
      tell({ type: 'spaces-changed' })
      const stored = await storage.getSpace(summary.id)
      if (stored !== undefined && (await isOther(stored, summary))) {
        const message = `This device has another space, “${stored.name ?? ''}”, in the place of “${summary.name}”`
        throw new SyncError('other_space', message)
      }
      return summary
    },
  }
}
