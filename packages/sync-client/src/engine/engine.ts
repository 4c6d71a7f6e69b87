import {
  createSpaceBodySchema,
  randomHexId,
  registrationIdSchema,
  rightsOf,
  spaceSchema,
  startOfText,
  SyncError,
  type JsonValue,
  type RegistrationId,
  type SpaceId,
  type SpaceIdentity,
  type SpaceSummary,
  type UserId,
} from '@t69/protocol'

import { noReply, type Account } from '../account/index.ts'
import { createConnector, type Link, type Transport, type WakeCause } from '../link/index.ts'
import type { Runtime } from '../runtime/index.ts'
import { serverUri, unsynced, type ClientStorage, type KeptSeal, type StoredSpace } from '../storage/index.ts'
import type { LeaderMessage, Tell } from '../tabs/index.ts'
import { enterSpace } from './enter-space.ts'
import type { ShownTree } from './judge-tree.ts'
import { createWatchList } from './watch-list.ts'
import { watchSpace } from './watched-space.ts'

/**
 * Syncs spaces for all tabs of a browser, over one connection. It runs in the tab that leads, and exchanges
 * `TabMessage`s with the tabs, its own included.
 */
export interface SyncEngine {
  hear(message: LeaderMessage): void
  /**
   * Joins a space that this device does not have, and has a tab open it in the turn of the reply: see `enterSpace`. Resolves with
   * what `open` returns, or with undefined if nothing is known of the space over the connection now. Rejects with `not_found`,
   * and with what `open` throws.
   */
  enter<Opened extends EnteredSpace>(
    spaceId: SpaceId,
    open: (space: SpaceSummary, userId: UserId) => Opened,
  ): Promise<Opened | undefined>
  /** Stops syncing a space that is about to be deleted. */
  forget(spaceId: SpaceId): Promise<void>
  /** Somebody looks at the page again, or the browser reports a network: retries and checks the connection. */
  wake(cause: WakeCause): void
  /** The browser reports no network: gives an open connection up. */
  doubt(): void
  stop(): Promise<void>
}

/** A space that a tab has opened because the server has let this device into it. */
export interface EnteredSpace {
  /** When the space is stored. Undefined if the tab had it open already. */
  readonly stored?: Promise<void>
}

export interface SyncEngineDeps {
  /** The server's normal address: see `parseServerUrl`. */
  readonly server: string
  readonly storage: ClientStorage
  readonly transport: Transport
  readonly runtime: Runtime
  readonly account: Account
  readonly tell: Tell
}

/** `onSuperseded` is called when another tab has begun to lead and this one was not told. */
export function createSyncEngine(deps: SyncEngineDeps, onSuperseded: () => void): SyncEngine {
  const { server, runtime, account, tell } = deps
  const storage = deps.storage.forLeader()
  /** The presence state of each space, shown again after each join. Kept when the space is not watched for a while. */
  const presence = new Map<SpaceId, JsonValue>()
  let userId: UserId | null = null
  let link: Link | null = null
  /** A link to a server of an earlier version, which says over HTTP alone what a space is. */
  let undescribing: Link | null = null
  let stopped = false

  const connector = createConnector(deps, {
    opened(next) {
      link = next
      for (const space of spaces.all()) space.connected(next)
      void account.finishSignOut()
      // Looked for again over the next connection.
      void findLost().catch(() => {})
    },
    lost() {
      link = null
      for (const space of spaces.all()) space.disconnected()
    },
    notified: {
      'ops:appended': (payload) => spaces.get(payload.spaceId)?.appended(payload),
      'ops:transient': (payload) => spaces.get(payload.spaceId)?.transientsHeard(payload),
      'presence:changed': (payload) => spaces.get(payload.spaceId)?.presenceChanged(payload),
      'space:sealed': (payload) => spaces.get(payload.spaceId)?.sealed(payload),
      'space:closed'({ spaceId, reason }) {
        spaces.get(spaceId)?.closed(reason)
        if (reason !== 'unavailable') tell({ type: 'spaces-changed' })
      },
    },
    changed() {
      for (const space of spaces.all()) space.linkChanged()
    },
  })

  const spaces = createWatchList({
    storage,
    runtime,
    isOf: (space, user) => account.isOf(space, user),
    onSuperseded,
    watch: (spaceId, start) =>
      watchSpace(spaceId, start, {
        storage,
        runtime,
        tell,
        register: (seal) => register(spaceId, seal),
        renewSession: () => connector.renew(),
        linkReport: () => connector.report,
        presenceState: () => presence.get(spaceId),
        onRest: () => spaces.settled(spaceId),
        onSettled: () => void (spaces.isOpen(spaceId) || spaces.align()),
        onSuperseded: () => void (stopped || onSuperseded()),
      }),
    onWatched(space) {
      space.linkChanged()
      if (link !== null) space.connected(link)
    },
  })

  /** Registers a space that this device holds, and stores the server's address as its own. */
  async function register(spaceId: SpaceId, seal: KeptSeal | null): Promise<SpaceIdentity> {
    const space = await storage.getSpace(spaceId)
    if (space === undefined) throw new SyncError('not_found', 'The space was deleted from this device')
    const proof =
      seal === null
        ? { registration: await storage.keepRegistration(spaceId, newRegistration()) }
        : { seal: seal.seal }
    const body = { id: spaceId, name: nameFor(space), ...proof }
    const registered = await account.call({ method: 'POST', path: '/api/spaces', body }, spaceSchema)
    if (seal === null) await followHere(registered)
    await storeServerUri(spaceId)
    return registered.identity
  }

  /** Does at the server what was done here while it did not know the space: renames it, or deletes it and throws `not_found`. */
  async function followHere({ id, name }: SpaceSummary): Promise<void> {
    const path = `/api/spaces/${id}`
    for (let known = name; ;) {
      const space = await storage.getSpace(id)
      if (space === undefined) {
        await account.call({ method: 'DELETE', path }, noReply)
        throw new SyncError('not_found', 'The space was deleted from this device')
      }
      const next = nameFor(space)
      if (next === known) return
      await account.call({ method: 'PATCH', path, body: { name: next } }, spaceSchema)
      known = next
    }
  }

  async function storeServerUri(spaceId: SpaceId): Promise<void> {
    const space = await storage.getSpace(spaceId)
    if (space !== undefined) await storage.putSpace({ ...space, uri: serverUri(server, spaceId) })
    tell({ type: 'spaces-changed' })
  }

  /** Registers the user's own spaces again that nobody has open and that a restored server has lost ([SI10]). */
  async function findLost(): Promise<void> {
    const owned: SpaceId[] = []
    for (const { id, userId: owner } of await storage.listSpaces()) {
      if (owner === null || owner !== userId || spaces.get(id) !== undefined) continue
      const { seal } = await storage.getProof(id)
      if (seal !== null && rightsOf(seal.role).own) owned.push(id)
    }
    if (owned.length === 0) return
    const listed = await account.listSpaces()
    const known = new Set(listed.map(({ id }) => id))
    for (const id of owned) if (!known.has(id)) spaces.restore(id)
  }

  function choose(spaceId: SpaceId, identity: SpaceIdentity): void {
    const space = spaces.get(spaceId)
    if (space === undefined) return
    space.choose(identity)
    // If the storage fails here, the space has the address of a local one, and is registered all the same.
    void storeServerUri(spaceId).catch(() => {})
  }

  function opened(tab: string, spaceIds: readonly SpaceId[]): void {
    const { entered, left } = spaces.opened(tab, spaceIds)
    for (const spaceId of left) {
      // The space may stay watched for the sake of its unsent edits, but nobody is in it any more.
      if (presence.delete(spaceId)) spaces.get(spaceId)?.showPresence(null)
    }
    // A tab that has just opened a space has heard nothing about it yet.
    for (const spaceId of entered) spaces.get(spaceId)?.repeat()
  }

  async function judge(spaceId: SpaceId, tab: string, tree: ShownTree): Promise<void> {
    // If the storage fails there is no verdict, and the tab asks again.
    const verdict = await spaces
      .get(spaceId)
      ?.judge(tree)
      .catch(() => undefined)
    if (verdict !== undefined) tell({ type: 'judged', spaceId, tab, verdict })
  }

  /** Connects for the user who is signed in, if any. */
  async function start(): Promise<void> {
    const next = account.user?.id ?? null
    // Stopped, or started by another change of the account, while this one waited.
    if (stopped || (next !== null && next === userId)) return
    userId = next
    if (next === null) return void account.finishSignOut()
    connector.start()
    await spaces.setUser(next)
  }

  /** Follows a change of the user, or of a space's owner. */
  async function refresh(): Promise<void> {
    if ((account.user?.id ?? null) === userId) return spaces.align()
    connector.stop()
    userId = null
    await spaces.setUser(null)
    await start()
  }

  async function enter<Opened extends EnteredSpace>(
    spaceId: SpaceId,
    open: (space: SpaceSummary, userId: UserId) => Opened,
  ): Promise<Opened | undefined> {
    const over = link
    const user = userId
    if (over === null || over === undescribing || user === null) return undefined
    let opened: Opened | undefined
    const isWatched = (): boolean => spaces.get(spaceId) !== undefined
    const take = (space: SpaceSummary, joined: Link): boolean => {
      if (stopped || link !== over) return false
      opened = open(space, user)
      if (opened.stored === undefined || isWatched()) return true
      const saved = { ...unsynced, identity: space.identity }
      const start = { saved, registered: true, userId: user, stored: opened.stored }
      const watched = spaces.enter(spaceId, start)
      watched.linkChanged()
      watched.connected(joined)
      return true
    }
    const entering = await enterSpace(spaceId, over, take, isWatched)
    if (entering === 'undescribed') undescribing = over
    return opened
  }

  async function forget(spaceId: SpaceId): Promise<void> {
    presence.delete(spaceId)
    await spaces.forget(spaceId)
  }

  void start()

  return {
    hear(message) {
      switch (message.type) {
        case 'leader-asked':
          return tell({ type: 'leader-here' })
        case 'opened':
          return opened(message.tab, message.spaceIds)
        case 'left':
          return opened(message.tab, [])
        case 'edited':
          connector.wake('edit')
          return spaces.edited(message.spaceId)
        case 'shown':
          return void judge(message.spaceId, message.tab, message.tree)
        case 'distrusted':
          return spaces.get(message.spaceId)?.distrust()
        case 'diverged':
          return spaces.get(message.spaceId)?.reportDivergence(message.divergence)
        case 'presence-set':
          presence.set(message.spaceId, message.state)
          return spaces.get(message.spaceId)?.showPresence(message.state)
        case 'transients-made':
          return spaces.get(message.spaceId)?.sendTransients(message.changes)
        case 'spaces-changed':
          return void refresh()
        case 'space-deleted':
          return void forget(message.spaceId)
        case 'rejoin':
          return spaces.get(message.spaceId)?.rejoin()
        case 'other-chosen':
          return choose(message.spaceId, message.identity)
        default:
          return message satisfies never
      }
    },
    enter,
    forget,
    wake(cause) {
      connector.wake(cause)
      void account.finishSignOut()
    },
    doubt: () => connector.doubt(),
    async stop() {
      stopped = true
      await spaces.stop()
      connector.stop()
    },
  }
}

const newRegistration = (): RegistrationId => registrationIdSchema.parse(randomHexId())

/**
 * The name under which the server takes a space. t69 had no limit before it synced, and a refusal would keep the space
 * from syncing for good.
 */
function nameFor({ name }: StoredSpace): string {
  const { maxLength } = createSpaceBodySchema.shape.name
  return startOfText(name?.trim() || 'Untitled', maxLength ?? undefined)
}
