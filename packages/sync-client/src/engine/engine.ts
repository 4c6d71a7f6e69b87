import type {
  JsonValue,
  NotificationPayload,
  Presence,
  SpaceId,
  TransientChange,
  TreeOperation,
} from '@t69/protocol'
import { spaceSchema } from '@t69/protocol'

import type { Session } from '../account/index.ts'
import { createConnector, type Link, type Transport, type WakeCause } from '../link/index.ts'
import type { SyncMachine } from '../machine/index.ts'
import { backoffMs, type Runtime } from '../runtime/index.ts'
import { type ClientStorage, isLocalUri, serverUri, SupersededError, unsynced } from '../storage/index.ts'
import { type Divergence, judgeTree, type ShownTree, type TreeVerdict } from './judge-tree.ts'
import { createSpaceSync, type SpaceSync } from './space-sync.ts'
import { reportOf, sameReport, type SyncReport } from './sync-report.ts'

/** What the engine tells the tabs, its own included. */
export interface SyncEngineListener {
  /** Another tab has begun to lead, whatever this one believes. */
  superseded(): void
  received(spaceId: SpaceId, ops: readonly TreeOperation[]): void
  settled(spaceId: SpaceId): void
  reported(spaceId: SpaceId, report: SyncReport): void
  present(spaceId: SpaceId, present: Presence[]): void
  transients(spaceId: SpaceId, connectionId: string, changes: readonly TransientChange[]): void
  spacesChanged(): void
  /** All of the space was read from the log again. */
  rebuilt(spaceId: SpaceId): void
}

/**
 * Syncs, for all tabs of a browser, the spaces that any of them has open, and those that nobody has open any
 * more until the server has all of them. Runs in the tab that leads.
 */
export interface SyncEngine {
  /** The spaces that a tab has open: all of them, each time. */
  opened(tab: string, spaceIds: readonly SpaceId[]): void
  /** There may be something new in the space's outbox. */
  edited(spaceId: SpaceId): void
  setPresence(spaceId: SpaceId, state: JsonValue): void
  sendTransients(spaceId: SpaceId, changes: readonly TransientChange[]): void
  rejoin(spaceId: SpaceId): void
  /** Compares a tree that a tab shows with the server's log; undefined for a space that does not sync here. */
  judge(spaceId: SpaceId, shown: ShownTree): Promise<TreeVerdict | undefined>
  /** What is stored is not what the log has: it is read anew. `rebuilt` follows. */
  distrust(spaceId: SpaceId): void
  report(spaceId: SpaceId, divergence: Divergence): void
  /** Who is signed in has changed, or whose a space is. */
  refresh(): Promise<void>
  /** Lets go of a space that is to be deleted. */
  forget(spaceId: SpaceId): Promise<void>
  /** Someone looks at the page again, or the network is back. */
  wake(cause: WakeCause): void
  /** The network is said to be gone. */
  doubt(): void
  stop(): Promise<void>
}

export interface SyncEngineDeps {
  readonly url: string
  readonly storage: ClientStorage
  readonly transport: Transport
  readonly runtime: Runtime
  readonly session: Session
}

interface Watched {
  readonly sync: SpaceSync
  readonly present: Map<string, Presence>
  report: SyncReport | undefined
  joining: boolean
  joined: boolean
  /** Was not trusted, and is read anew. */
  rebuilding: boolean
}

export function createSyncEngine(deps: SyncEngineDeps, listener: SyncEngineListener): SyncEngine {
  const { url, runtime, session } = deps
  const storage = deps.storage.forLeader()
  const openIn = new Map<string, readonly SpaceId[]>()
  /** Not watched, though the server may lack something of them: to be looked at. */
  const doubtful = new Set<SpaceId>()
  /** All of the user's spaces were looked at. */
  let hasLooked = false
  const watched = new Map<SpaceId, Watched>()
  const presence = new Map<SpaceId, JsonValue>()
  let userId = session.user?.id ?? null
  let link: Link | null = null
  let stopped = false
  let turn: Promise<void> = Promise.resolve()
  let failures = 0
  let cancelRetry = (): void => {}

  const connector = createConnector(deps, {
    opened(next) {
      link = next
      for (const { sync } of watched.values()) sync.connected(next)
      void session.finishSignOut()
    },
    lost() {
      link = null
      for (const { sync } of watched.values()) sync.disconnected()
    },
    notified: {
      'ops:appended': (payload) => watched.get(payload.spaceId)?.sync.appended(payload),
      'ops:transient'({ spaceId, connectionId, changes }) {
        if (watched.has(spaceId)) listener.transients(spaceId, connectionId, changes)
      },
      'presence:changed': presenceChanged,
      'space:closed'({ spaceId, reason }) {
        watched.get(spaceId)?.sync.closed(reason)
        if (reason !== 'unavailable') listener.spacesChanged()
      },
    },
    changed: () => {
      for (const spaceId of watched.keys()) report(spaceId)
    },
  })

  function presenceChanged({ spaceId, present, gone }: NotificationPayload<'presence:changed'>): void {
    const space = watched.get(spaceId)
    if (space === undefined) return
    for (const connectionId of gone) space.present.delete(connectionId)
    for (const one of present) space.present.set(one.connectionId, one)
    listener.present(spaceId, [...space.present.values()])
  }

  function report(spaceId: SpaceId): void {
    const space = watched.get(spaceId)
    if (space === undefined) return
    const next = reportOf(space.sync.machine, connector.report)
    if (sameReport(space.report, next)) return
    space.report = next
    listener.reported(spaceId, next)
  }

  function changed(spaceId: SpaceId, machine: SyncMachine): void {
    const space = watched.get(spaceId)
    if (space === undefined) return
    const joining = machine.request === 'join'
    // Whoever is there is named anew after a join; whoever is not there is no longer.
    const isAway = machine.link === 'down' || machine.blocked !== null
    if ((joining && !space.joining) || isAway) clearPresent(spaceId, space)
    space.joining = joining
    const joined = machine.link === 'joined'
    const state = presence.get(spaceId)
    if (joined && !space.joined && state !== undefined) link?.signal('presence:set', { spaceId, state })
    space.joined = joined
    report(spaceId)
    if (!space.rebuilding || !machine.caughtUp) return
    space.rebuilding = false
    listener.rebuilt(spaceId)
  }

  function clearPresent(spaceId: SpaceId, space: Watched): void {
    if (space.present.size === 0) return
    space.present.clear()
    listener.present(spaceId, [])
  }

  const isOpen = (spaceId: SpaceId): boolean =>
    Array.from(openIn.values()).some((spaceIds) => spaceIds.includes(spaceId))

  /** Nobody looks at the space here any more, though edits may wait in it still. */
  function hide(spaceId: SpaceId): void {
    if (!presence.delete(spaceId)) return
    if (watched.get(spaceId)?.joined === true) link?.signal('presence:set', { spaceId, state: null })
  }

  /** Registers a space made on this device. Its address in the storage says from then on that it is there. */
  async function register(spaceId: SpaceId): Promise<void> {
    const space = await storage.getSpace(spaceId)
    if (space === undefined) return
    const body = { id: spaceId, name: space.name?.trim() || 'Untitled' }
    await session.call({ method: 'POST', path: '/api/spaces', body }, spaceSchema)
    const latest = await storage.getSpace(spaceId)
    if (latest !== undefined) await storage.putSpace({ ...latest, uri: serverUri(url, spaceId) })
    listener.spacesChanged()
  }

  async function watch(spaceId: SpaceId): Promise<void> {
    const space = await storage.getSpace(spaceId)
    if (space === undefined || space.userId === null || space.userId !== userId) return
    let saved = await storage.getSyncState(spaceId)
    if (saved === undefined) {
      saved = unsynced
      await storage.putSyncState(spaceId, saved)
    }
    if (stopped) return
    const sync = createSpaceSync(
      spaceId,
      { saved, registered: !isLocalUri(space.uri) },
      {
        storage,
        runtime,
        register: () => register(spaceId),
        renewSession: () => connector.renew(),
        onShow: (ops) => listener.received(spaceId, ops),
        onChange: (machine) => changed(spaceId, machine),
        onSettled: () => {
          listener.settled(spaceId)
          if (!isOpen(spaceId)) void align()
        },
        onSuperseded: () => void (stopped || listener.superseded()),
      },
    )
    watched.set(spaceId, {
      sync,
      present: new Map(),
      report: undefined,
      joining: false,
      joined: false,
      rebuilding: false,
    })
    report(spaceId)
    if (link !== null) sync.connected(link)
  }

  async function unwatch(spaceId: SpaceId): Promise<void> {
    const space = watched.get(spaceId)
    if (space === undefined) return
    watched.delete(spaceId)
    clearPresent(spaceId, space)
    await space.sync.stop()
  }

  /** The server lacks some of it: edits, or what a reconciliation would find. */
  async function isUnfinished(spaceId: SpaceId): Promise<boolean> {
    const space = await storage.getSpace(spaceId)
    if (space === undefined || space.userId === null || space.userId !== userId) return false
    if ((await storage.countPending(spaceId)).pending > 0) return true
    return (await storage.getSyncState(spaceId))?.reconciling === true
  }

  async function watchWanted(): Promise<void> {
    const isOn = !stopped && userId !== null
    for (const spaceId of watched.keys()) {
      if (!isOn || !(isOpen(spaceId) || (await isUnfinished(spaceId)))) await unwatch(spaceId)
    }
    if (!isOn) return
    for (const spaceIds of openIn.values()) {
      for (const spaceId of spaceIds) if (!watched.has(spaceId)) await watch(spaceId)
    }
    if (!hasLooked) for (const { id } of await storage.listSpaces()) doubtful.add(id)
    hasLooked = true
    for (const spaceId of doubtful) {
      // Before it is looked at: what is stored meanwhile makes it doubtful again.
      doubtful.delete(spaceId)
      try {
        if (!watched.has(spaceId) && (await isUnfinished(spaceId))) await watch(spaceId)
      } catch (error) {
        doubtful.add(spaceId)
        throw error
      }
    }
  }

  /** Watches what is wanted and nothing else. One such pass at a time. */
  function align(): Promise<void> {
    cancelRetry()
    turn = turn.then(watchWanted).then(
      () => void (failures = 0),
      (error: unknown) => {
        if (stopped) return
        if (error instanceof SupersededError) return listener.superseded()
        cancelRetry = runtime.setTimer(() => void align(), backoffMs(failures++, runtime))
      },
    )
    return turn
  }

  async function start(): Promise<void> {
    if (userId === null) return void session.finishSignOut()
    connector.start()
    await align()
  }
  void start()

  return {
    opened(tab, spaceIds) {
      const before = openIn.get(tab) ?? []
      if (spaceIds.length === 0) openIn.delete(tab)
      else openIn.set(tab, spaceIds)
      for (const spaceId of before) if (!isOpen(spaceId)) hide(spaceId)
      // A tab that has just opened a space knows nothing of it yet.
      for (const spaceId of spaceIds) {
        const space = watched.get(spaceId)
        if (space?.report === undefined) continue
        listener.reported(spaceId, space.report)
        listener.present(spaceId, [...space.present.values()])
      }
      void align()
    },
    edited(spaceId) {
      const isHere = isOpen(spaceId)
      watched.get(spaceId)?.sync.edited()
      if (isHere && watched.has(spaceId)) return
      // Stored late, for a tab that is gone or of an older release; or it may be closed before it is watched.
      doubtful.add(spaceId)
      if (!isHere) void align()
    },
    setPresence(spaceId, state) {
      presence.set(spaceId, state)
      if (watched.get(spaceId)?.joined === true) link?.signal('presence:set', { spaceId, state })
    },
    sendTransients(spaceId, changes) {
      if (watched.get(spaceId)?.joined === true)
        link?.signal('ops:transient', { spaceId, changes: [...changes] })
    },
    rejoin: (spaceId) => watched.get(spaceId)?.sync.retry(),
    async judge(spaceId, shown) {
      const space = watched.get(spaceId)
      if (space === undefined) return undefined
      return judgeTree(spaceId, shown, { storage, link, machine: space.sync.machine })
    },
    distrust(spaceId) {
      const space = watched.get(spaceId)
      if (space === undefined || space.rebuilding) return
      space.rebuilding = true
      space.sync.distrust()
    },
    report(spaceId, divergence) {
      const logId = watched.get(spaceId)?.sync.machine.saved.logId ?? null
      if (logId !== null) link?.signal('divergence:report', { spaceId, logId, ...divergence })
    },
    async refresh() {
      const next = session.user?.id ?? null
      if (next === userId) return align()
      connector.stop()
      userId = null
      await align()
      userId = next
      hasLooked = false
      await start()
    },
    async forget(spaceId) {
      presence.delete(spaceId)
      for (const [tab, spaceIds] of openIn) {
        openIn.set(
          tab,
          spaceIds.filter((id) => id !== spaceId),
        )
      }
      turn = turn.then(() => unwatch(spaceId))
      await align()
    },
    wake(cause) {
      connector.wake(cause)
      void session.finishSignOut()
    },
    doubt: () => connector.doubt(),
    async stop() {
      stopped = true
      await align()
      cancelRetry()
      connector.stop()
    },
  }
}
