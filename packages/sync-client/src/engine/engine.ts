import {
  createSpaceBodySchema,
  spaceSchema,
  startOfText,
  type JsonValue,
  type SpaceId,
  type UserId,
} from '@t69/protocol'

import type { Account } from '../account/index.ts'
import { createConnector, type Link, type Transport, type WakeCause } from '../link/index.ts'
import type { Runtime } from '../runtime/index.ts'
import { isLocalUri, serverUri, type ClientStorage, type StoredSpace } from '../storage/index.ts'
import type { LeaderMessage, Tell } from '../tabs/index.ts'
import type { ShownTree } from './judge-tree.ts'
import { createWatchList } from './watch-list.ts'
import { watchSpace } from './watched-space.ts'

/**
 * Syncs spaces for all tabs of a browser, over one connection. It runs in the tab that leads, and exchanges
 * `TabMessage`s with the tabs, its own included.
 */
export interface SyncEngine {
  hear(message: LeaderMessage): void
  /** Stops syncing a space that is about to be deleted. */
  forget(spaceId: SpaceId): Promise<void>
  /** Somebody looks at the page again, or the browser reports a network: retries and checks the connection. */
  wake(cause: WakeCause): void
  /** The browser reports no network: gives an open connection up. */
  doubt(): void
  stop(): Promise<void>
}

export interface SyncEngineDeps {
  readonly url: string
  readonly storage: ClientStorage
  readonly transport: Transport
  readonly runtime: Runtime
  readonly account: Account
  readonly tell: Tell
}

/** `onSuperseded` is called when another tab has begun to lead and this one was not told. */
export function createSyncEngine(deps: SyncEngineDeps, onSuperseded: () => void): SyncEngine {
  const { url, runtime, account, tell } = deps
  const storage = deps.storage.forLeader()
  /** The presence state of each space, shown again after each join. Kept when the space is not watched for a while. */
  const presence = new Map<SpaceId, JsonValue>()
  let userId: UserId | null = null
  let link: Link | null = null
  let stopped = false

  const connector = createConnector(deps, {
    opened(next) {
      link = next
      for (const space of spaces.all()) space.connected(next)
      void account.finishSignOut()
    },
    lost() {
      link = null
      for (const space of spaces.all()) space.disconnected()
    },
    notified: {
      'ops:appended': (payload) => spaces.get(payload.spaceId)?.appended(payload),
      'ops:transient'(payload) {
        if (spaces.get(payload.spaceId) !== undefined) tell({ type: 'transients-heard', ...payload })
      },
      'presence:changed': (payload) => spaces.get(payload.spaceId)?.presenceChanged(payload),
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
    onSuperseded,
    watch: (found, saved) =>
      watchSpace(
        found.id,
        { saved, registered: !isLocalUri(found.uri) },
        {
          storage,
          runtime,
          tell,
          register: () => register(found.id),
          renewSession: () => connector.renew(),
          linkReport: () => connector.report,
          presenceState: () => presence.get(found.id),
          onSettled: () => void (spaces.isOpen(found.id) || spaces.align()),
          onSuperseded: () => void (stopped || onSuperseded()),
        },
      ),
    onWatched(space) {
      space.linkChanged()
      if (link !== null) space.connected(link)
    },
  })

  /** Registers a space that was created on this device, and stores the server's address as its own. */
  async function register(spaceId: SpaceId): Promise<void> {
    const space = await storage.getSpace(spaceId)
    if (space === undefined) return
    const body = { id: spaceId, name: nameFor(space) }
    await account.call({ method: 'POST', path: '/api/spaces', body }, spaceSchema)
    const latest = await storage.getSpace(spaceId)
    if (latest !== undefined) await storage.putSpace({ ...latest, uri: serverUri(url, spaceId) })
    tell({ type: 'spaces-changed' })
  }

  function opened(tab: string, spaceIds: readonly SpaceId[]): void {
    for (const spaceId of spaces.opened(tab, spaceIds)) {
      // The space may stay watched for the sake of its unsent edits, but nobody is in it any more.
      if (presence.delete(spaceId)) spaces.get(spaceId)?.showPresence(null)
    }
    // A tab that has just opened a space has heard nothing about it yet.
    for (const spaceId of spaceIds) spaces.get(spaceId)?.repeat()
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
        default:
          return message satisfies never
      }
    },
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

/**
 * The name under which the server takes a space. t69 had no limit before it synced, and a refusal would keep the space
 * from syncing for good.
 */
function nameFor({ name }: StoredSpace): string {
  const { maxLength } = createSpaceBodySchema.shape.name
  return startOfText(name?.trim() || 'Untitled', maxLength ?? undefined)
}
