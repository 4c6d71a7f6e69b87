import type {
  JsonValue,
  NotificationPayload,
  Presence,
  SpaceId,
  SpaceIdentity,
  SpaceSeal,
  TransientChange,
} from '@t69/protocol'

import type { Link, LinkReport } from '../link/index.ts'
import type { SyncMachine } from '../machine/index.ts'
import type { Runtime } from '../runtime/index.ts'
import type { AttestedRun, ClientStorage } from '../storage/index.ts'
import type { Tell } from '../tabs/index.ts'
import { judgeTree, type Divergence, type ShownTree, type TreeVerdict } from './judge-tree.ts'
import type { Register } from './space-requests.ts'
import { createSpaceSync, type SyncStart } from './space-sync.ts'
import { reportOf, sameReport, type SyncReport } from './sync-report.ts'

/** A space while the engine syncs it: runs its sync and its presence, and tells the tabs about both. */
export interface WatchedSpace {
  connected(link: Link): void
  disconnected(): void
  /** The state of the shared connection has changed. */
  linkChanged(): void
  appended(payload: NotificationPayload<'ops:appended'>): void
  presenceChanged(payload: NotificationPayload<'presence:changed'>): void
  transientsHeard(payload: NotificationPayload<'ops:transient'>): void
  sealed(seal: SpaceSeal): void
  closed(reason: NotificationPayload<'space:closed'>['reason']): void

  /** Tells the report and the presence again, for a tab that has just opened the space. */
  repeat(): void
  /** The outbox may hold a new edit. */
  edited(): void
  showPresence(state: JsonValue): void
  sendTransients(changes: readonly TransientChange[]): void
  /** Joins again, even if the server refused the space before. */
  rejoin(): void
  /** Sends this device's copy to the space of this identity: the user has said so. */
  choose(identity: SpaceIdentity): void
  /** Compares a tree that a tab shows with the server's log. */
  judge(shown: ShownTree): Promise<TreeVerdict>
  /** Reads the log again from its start, and then tells `rebuilt`. */
  distrust(): void
  reportDivergence(divergence: Divergence): void
  /** Leaves the space. Resolves when a transaction that is under way has ended. */
  stop(): Promise<void>
}

export interface WatchedSpaceDeps {
  readonly storage: ClientStorage
  readonly runtime: Runtime
  readonly tell: Tell
  readonly register: Register
  readonly renewSession: () => void
  readonly linkReport: () => LinkReport
  /** The presence state that a tab has set; undefined while none has. */
  readonly presenceState: () => JsonValue | undefined
  /** Called when the outbox, or the list of refused edits, may have changed. */
  readonly onSettled: () => void
  /** Called when the space is up to date, or refused. */
  readonly onRest: () => void
  /** Called when a write failed because another tab leads, and has written. */
  readonly onSuperseded: () => void
}

export function watchSpace(spaceId: SpaceId, initial: SyncStart, deps: WatchedSpaceDeps): WatchedSpace {
  const { storage, tell } = deps
  const present = new Map<string, Presence>()
  let link: Link | null = null
  let report: SyncReport | undefined
  let wasJoining = false
  let wasJoined = false
  /** The stored operations do not match the log, which is being read again. */
  let isRebuilding = false

  const sync = createSpaceSync(spaceId, initial, {
    storage,
    runtime: deps.runtime,
    register: deps.register,
    renewSession: deps.renewSession,
    onShow(ops, attested) {
      tellAttested(attested)
      tell({ type: 'received', spaceId, ops })
    },
    onChange: changed,
    onSettled(attested) {
      tellAttested(attested)
      tell({ type: 'settled', spaceId })
      deps.onSettled()
    },
    onSuperseded: deps.onSuperseded,
  })

  function tellAttested(attested: readonly AttestedRun[]): void {
    if (attested.length > 0) tell({ type: 'attested', spaceId, runs: [...attested] })
  }

  function changed(machine: SyncMachine): void {
    const isJoining = machine.request === 'join'
    // The reply to a join is followed by everybody present. While this device is away, nobody is shown as present.
    const isAway = machine.link === 'down' || machine.blocked !== null
    if ((isJoining && !wasJoining) || isAway) clearPresent()
    wasJoining = isJoining
    const isJoined = machine.link === 'joined'
    const state = deps.presenceState()
    if (isJoined && !wasJoined && state !== undefined) link?.signal('presence:set', { spaceId, state })
    wasJoined = isJoined
    tellReport()
    if (machine.caughtUp || machine.blocked !== null) deps.onRest()
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
      if (!wasJoined) return
      for (const connectionId of payload.gone) present.delete(connectionId)
      for (const one of payload.present) present.set(one.connectionId, one)
      tellPresent()
    },
    transientsHeard({ connectionId, changes }) {
      if (wasJoined) tell({ type: 'transients-heard', spaceId, connectionId, changes })
    },
    sealed: (seal) => sync.sealed(seal),
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
    choose: (identity) => sync.choose(identity),
    judge: (shown) => judgeTree(spaceId, shown, { storage, link, machine: sync.machine }),
    distrust() {
      if (isRebuilding) return
      isRebuilding = true
      sync.distrust()
    },
    reportDivergence(divergence) {
      const { logId } = sync.machine.saved
      if (logId !== null && wasJoined) link?.signal('divergence:report', { spaceId, logId, ...divergence })
    },
    async stop() {
      clearPresent()
      await sync.stop()
    },
  }
}
