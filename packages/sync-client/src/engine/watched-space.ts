import type { JsonValue, NotificationPayload, Presence, SpaceId, TransientChange } from '@t69/protocol'

import type { Link, LinkReport } from '../link/index.ts'
import type { SyncMachine } from '../machine/index.ts'
import type { Runtime } from '../runtime/index.ts'
import type { ClientStorage, SyncState } from '../storage/index.ts'
import type { Tell } from '../tabs/index.ts'
import { judgeTree, type Divergence, type ShownTree, type TreeVerdict } from './judge-tree.ts'
import { createSpaceSync } from './space-sync.ts'
import { reportOf, sameReport, type SyncReport } from './sync-report.ts'

/** A space while the engine syncs it: its sync, who is present in it, and what the tabs are told of both. */
export interface WatchedSpace {
  connected(link: Link): void
  disconnected(): void
  /** The connection's own report has changed. */
  linkChanged(): void
  appended(payload: NotificationPayload<'ops:appended'>): void
  presenceChanged(payload: NotificationPayload<'presence:changed'>): void
  closed(reason: NotificationPayload<'space:closed'>['reason']): void

  /** Says again what is known, for a tab that has just opened the space. */
  repeat(): void
  /** There may be something new in the outbox. */
  edited(): void
  showPresence(state: JsonValue): void
  sendTransients(changes: readonly TransientChange[]): void
  /** Joins anew, whatever the server said before. */
  rejoin(): void
  /** Compares a tree that a tab shows with the server's log. */
  judge(shown: ShownTree): Promise<TreeVerdict>
  /** Reads the log again from its start, and then tells `rebuilt`. */
  distrust(): void
  reportDivergence(divergence: Divergence): void
  /** Leaves the space; waits for a transaction that is under way. */
  stop(): Promise<void>
}

export interface WatchedSpaceDeps {
  readonly storage: ClientStorage
  readonly runtime: Runtime
  readonly tell: Tell
  readonly register: () => Promise<void>
  readonly renewSession: () => void
  readonly linkReport: () => LinkReport
  /** What the space's tabs show of themselves; undefined while they show nothing. */
  readonly presenceState: () => JsonValue | undefined
  /** The outbox, or the list of refused edits, may have changed. */
  readonly onSettled: () => void
  /** Another tab leads, and has written. */
  readonly onSuperseded: () => void
}

export function watchSpace(
  spaceId: SpaceId,
  initial: { readonly saved: SyncState; readonly registered: boolean },
  deps: WatchedSpaceDeps,
): WatchedSpace {
  const { storage, tell } = deps
  const present = new Map<string, Presence>()
  let link: Link | null = null
  let report: SyncReport | undefined
  let wasJoining = false
  let wasJoined = false
  /** Stored operations are not trusted, and are being read from the log again. */
  let isRebuilding = false

  const sync = createSpaceSync(spaceId, initial, {
    storage,
    runtime: deps.runtime,
    register: deps.register,
    renewSession: deps.renewSession,
    onShow: (ops) => tell({ type: 'received', spaceId, ops }),
    onChange: changed,
    onSettled() {
      tell({ type: 'settled', spaceId })
      deps.onSettled()
    },
    onSuperseded: deps.onSuperseded,
  })

  function changed(machine: SyncMachine): void {
    const isJoining = machine.request === 'join'
    // A join names everybody again; nobody is present while this device is not.
    const isAway = machine.link === 'down' || machine.blocked !== null
    if ((isJoining && !wasJoining) || isAway) clearPresent()
    wasJoining = isJoining
    const isJoined = machine.link === 'joined'
    const state = deps.presenceState()
    if (isJoined && !wasJoined && state !== undefined) link?.signal('presence:set', { spaceId, state })
    wasJoined = isJoined
    tellReport()
    if (!isRebuilding || !machine.caughtUp) return
    isRebuilding = false
    tell({ type: 'rebuilt', spaceId })
  }

  function tellReport(): void {
    const next = reportOf(sync.machine, deps.linkReport())
    if (sameReport(report, next)) return
    report = next
    tell({ type: 'reported', spaceId, report })
  }

  function tellPresent(): void {
    tell({ type: 'present', spaceId, present: [...present.values()] })
  }

  function clearPresent(): void {
    if (present.size === 0) return
    present.clear()
    tellPresent()
  }

  return {
    connected(next) {
      link = next
      sync.connected(next)
    },
    disconnected() {
      link = null
      sync.disconnected()
    },
    linkChanged: tellReport,
    appended: (payload) => sync.appended(payload),
    presenceChanged(payload) {
      for (const connectionId of payload.gone) present.delete(connectionId)
      for (const one of payload.present) present.set(one.connectionId, one)
      tellPresent()
    },
    closed: (reason) => sync.closed(reason),
    repeat() {
      if (report === undefined) return
      tell({ type: 'reported', spaceId, report })
      tellPresent()
    },
    edited: () => sync.edited(),
    showPresence(state) {
      if (wasJoined) link?.signal('presence:set', { spaceId, state })
    },
    sendTransients(changes) {
      if (wasJoined) link?.signal('ops:transient', { spaceId, changes: [...changes] })
    },
    rejoin: () => sync.retry(),
    judge: (shown) => judgeTree(spaceId, shown, { storage, link, machine: sync.machine }),
    distrust() {
      if (isRebuilding) return
      isRebuilding = true
      sync.distrust()
    },
    reportDivergence(divergence) {
      const { logId } = sync.machine.saved
      if (logId !== null) link?.signal('divergence:report', { spaceId, logId, ...divergence })
    },
    async stop() {
      clearPresent()
      await sync.stop()
    },
  }
}
