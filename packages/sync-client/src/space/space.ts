import { randomHexId, SyncError, treeIdSchema, type SpaceId, type TreeId, type VertexId } from '@t69/protocol'
import type { Replica } from '@t69/replica'

import type { Account } from '../account/index.ts'
import type { Space, SpaceStatus } from '../api.ts'
import type { SyncReport } from '../engine/index.ts'
import type { Listeners } from '../runtime/index.ts'
import type { ClientStorage } from '../storage/index.ts'
import type { Tell } from '../tabs/index.ts'
import type { EditWriter } from './edit-writer.ts'
import { untilFlushed } from './flushed.ts'
import { untilLoaded } from './loaded.ts'
import type { OpAuthors } from './op-authors.ts'
import type { OpenTrees } from './open-trees.ts'
import { createOtherSpace } from './other-space.ts'
import { readPastTree } from './past-tree.ts'
import type { PendingCounter } from './pending-counter.ts'
import type { RefusedEdits } from './refused-edits.ts'
import type { SpacePresence } from './space-presence.ts'
import type { SpaceRecord } from './space-record.ts'
import { createSpaceSharing } from './space-sharing.ts'
import type { SpaceTransients } from './space-transients.ts'

/** The parts of a space. `openTabSpace` puts them together. */
export interface SpaceParts {
  readonly spaceId: SpaceId
  readonly root: () => Replica
  readonly account: Account
  readonly tell: Tell
  readonly storage: ClientStorage
  readonly record: SpaceRecord
  readonly presence: SpacePresence
  readonly counter: PendingCounter
  readonly writer: EditWriter
  /** Resolves when every edit made so far is on disk; rejects once the space is closed. */
  readonly stored: (signal?: AbortSignal) => Promise<void>
  readonly trees: OpenTrees
  readonly authors: OpAuthors
  readonly transients: Pick<SpaceTransients, 'connectionAt'>
  readonly refused: RefusedEdits
  readonly statusListeners: Listeners<SpaceStatus>
  readonly replacedListeners: Listeners<TreeId>
  /** The last report of the tab that leads. */
  readonly report: () => SyncReport
  readonly status: () => SpaceStatus
  /**
   * Aborts, with an `unavailable`, once the space is closed, and with an `unauthenticated` once it is locked. Another
   * signal once it is open again.
   */
  readonly released: () => AbortSignal
  readonly isDeleted: () => boolean
  readonly close: () => Promise<void>
}

/** Creates the space as the app sees it. */
export function createSpace(parts: SpaceParts): Space {
  const { spaceId, account, record, presence, trees, authors, refused, released } = parts
  /** Makes a call reject while the space is closed or locked: somebody else may be signed in. */
  const whileOpen =
    <Given extends unknown[], T>(call: (...given: Given) => Promise<T>) =>
    async (...given: Given): Promise<T> => {
      released().throwIfAborted()
      return call(...given)
    }

  function ensureThisSpace(): void {
    const { error } = parts.report()
    if (error?.code === 'other_space') throw SyncError.from(error)
    record.ensureThisSpace()
  }

  const sharing = createSpaceSharing(spaceId, account, ensureThisSpace)
  const other = createOtherSpace(parts)
  return {
    members: whileOpen(sharing.members),
    changeRole: whileOpen(sharing.changeRole),
    removeMember: whileOpen(sharing.removeMember),
    invite: whileOpen(sharing.invite),
    invites: whileOpen(sharing.invites),
    withdrawInvite: whileOpen(sharing.withdrawInvite),
    otherSpace: whileOpen(other.otherSpace),
    sendToOtherSpace: whileOpen(other.sendToOtherSpace),
    id: spaceId,
    get root() {
      return parts.root()
    },
    get name() {
      return record.stored.name ?? ''
    },
    get role() {
      return record.role(parts.report().role)
    },
    get rights() {
      return record.rights(parts.report().role)
    },
    loaded: async ({ treeId = spaceId, signal } = {}) => untilLoaded(parts, parseTreeId(treeId), signal),
    openTree: whileOpen(async (treeId) => trees.open(parseTreeId(treeId))),
    // Does not wait for the disk: the user can type into a new chat at once.
    createTree: whileOpen(async () => trees.create(treeIdSchema.parse(randomHexId()))),
    closeTree: (treeId) => trees.close(parseTreeId(treeId)),
    treeIdOf(tree) {
      const treeId = trees.treeIdOf(tree)
      if (treeId === undefined) throw new SyncError('not_found', 'The tree does not belong to this space')
      return treeId
    },
    authorOf: (op) => authors.of(op),
    at: whileOpen(async (seq, { treeId = spaceId } = {}) => {
      ensureThisSpace()
      return readPastTree(account, { spaceId, treeId: parseTreeId(treeId) }, seq)
    }),
    onAuthors: (listener) => authors.listeners.add(listener),
    transientBy({ treeId, vertexId, key }) {
      // Ids of another form name nothing.
      const place = { treeId: treeId as TreeId, targetId: vertexId as VertexId, key }
      const connectionId = parts.transients.connectionAt(place)
      if (connectionId === undefined) return null
      return { connectionId, user: presence.userOf(connectionId) ?? null }
    },
    enableSync: whileOpen(() => record.enableSync(() => parts.stored())),
    get isDeleted() {
      return parts.isDeleted()
    },
    get status() {
      return parts.status()
    },
    onStatus: (listener) => parts.statusListeners.add(listener),
    stored: ({ signal } = {}) => parts.stored(signal),
    flushed: ({ signal } = {}) => untilFlushed(parts, signal),
    rejectedEdits: whileOpen(() => refused.list()),
    retryRejected: whileOpen(() => refused.retry()),
    discardRejected: whileOpen(() => refused.discard()),
    onReplaced: (listener) => parts.replacedListeners.add(listener),
    rename: whileOpen((name) => record.rename(name, ensureThisSpace)),
    get presence() {
      return presence.shown
    },
    setPresence: (state) => void (released().aborted || presence.set(state)),
    onPresence: (listener) => presence.listeners.add(listener),
    close: () => parts.close(),
  }
}

function parseTreeId(treeId: string): TreeId {
  const parsed = treeIdSchema.safeParse(treeId)
  if (parsed.success) return parsed.data
  throw new SyncError('invalid_request', `"${treeId}" is not the id of a tree`)
}
