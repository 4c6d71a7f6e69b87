import {
  messageOf,
  type ErrorBody,
  type NotificationPayload,
  type SpaceId,
  type SpaceIdentity,
  type SpaceSeal,
  type TreeOperation,
  type UserId,
} from '@t69/protocol'

import type { Link } from '../link/index.ts'
import {
  createSyncMachine,
  step,
  type Effect,
  type LogRange,
  type MachineStart,
  type Request,
  type SyncEvent,
  type SyncMachine,
  type Write,
} from '../machine/index.ts'
import { backoffMs, restAfterMs, type Runtime } from '../runtime/index.ts'
import { SupersededError, type AttestedRun, type ClientStorage } from '../storage/index.ts'
import { logRangeOf, sendRequest, type Register } from './space-requests.ts'

/** What is known of a space when its syncing begins, and whose it is. */
export interface SyncStart extends MachineStart {
  readonly userId: UserId
  /** When the space itself is stored. Nothing that belongs to it is stored before. Default: it is. */
  readonly stored?: Promise<void>
}

export interface SpaceSyncDeps {
  readonly storage: ClientStorage
  readonly runtime: Runtime
  readonly register: Register
  readonly renewSession: () => void
  /** Called with operations from the server, and who committed them, after they are stored, in the log's order. */
  readonly onShow: (ops: readonly TreeOperation[], attested: readonly AttestedRun[]) => void
  readonly onChange: (machine: SyncMachine) => void
  /**
   * Called when the outbox, or the list of refused edits, may have changed, with the edits that the server has committed
   * for this user.
   */
  readonly onSettled: (attested: readonly AttestedRun[]) => void
  /** Called when a write failed because another tab leads, and has written. */
  readonly onSuperseded: () => void
}

/** Runs one space's sync machine: carries out its effects and feeds the results back as events. */
export interface SpaceSync {
  readonly machine: SyncMachine
  connected(link: Link): void
  disconnected(): void
  edited(): void
  appended(payload: NotificationPayload<'ops:appended'>): void
  /** The space's members have changed. */
  sealed(seal: SpaceSeal): void
  /** The user has said that this device's copy is to go to the space of this identity. */
  choose(identity: SpaceIdentity): void
  closed(reason: NotificationPayload<'space:closed'>['reason']): void
  /** Forgets a refusal and rejoins, for example after the user was invited again. */
  retry(): void
  /** The stored operations do not match the log: reads the log again from its start. */
  distrust(): void
  /** Leaves the space. Resolves when a transaction that is under way has ended. */
  stop(): Promise<void>
}

export function createSpaceSync(spaceId: SpaceId, initial: SyncStart, deps: SpaceSyncDeps): SpaceSync {
  const { storage, runtime } = deps
  let machine = createSyncMachine(initial)
  let link: Link | null = null
  let stopped = false
  let writing: Promise<void> = Promise.resolve()
  let latestRequest = 0
  let cancelRetry = (): void => {}
  let restMs = 0
  let endRest = (): void => {}

  // Events that arrive while an event is being handled are queued, so that effects run in order.
  const queue: SyncEvent[] = []
  let handling = false
  function dispatch(event: SyncEvent): void {
    queue.push(event)
    if (handling) return
    handling = true
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        if (stopped) continue
        const result = step(machine, next)
        machine = result.machine
        for (const effect of result.effects) run(effect)
        deps.onChange(machine)
      }
    } finally {
      handling = false
    }
  }

  function run(effect: Effect): void {
    switch (effect.do) {
      case 'write':
        writing = write(effect.write)
        return
      case 'request':
        request(effect.request)
        return
      case 'read-outbox':
        void storage.readOutbox(spaceId, effect.budgetBytes).then(
          (slice) => dispatch({ type: 'outbox-read', slice }),
          (error: unknown) => dispatch({ type: 'outbox-failed', error: storageError(error) }),
        )
        return
      case 'show': {
        const startedAt = runtime.now()
        deps.onShow(effect.ops, effect.attested)
        restMs = restAfterMs(runtime.now() - startedAt, effect.ops.length)
        return
      }
      case 'retry-later':
        cancelRetry()
        cancelRetry = runtime.setTimer(
          () => dispatch({ type: 'retry' }),
          backoffMs(effect.attempt, runtime, effect.retryAfterMs),
        )
        return
      case 'leave':
        link?.request('space:leave', { spaceId }, () => {})
        return
      case 'renew-session':
        deps.renewSession()
        return
    }
  }

  /** Leaves time for the page between merges that take long. Operations that arrive gather in the inbox. */
  function rest(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = runtime.setTimer(resolve, restMs)
    restMs = 0
    endRest = () => {
      cancel()
      resolve()
    }
    return promise
  }

  async function write(write: Write): Promise<void> {
    if (write.kind === 'append' && restMs > 0) {
      await rest()
      // The space may be gone from this device by now. If it is not, whoever syncs it next fetches the operations again.
      if (stopped) return
    }
    let heldBack: boolean
    try {
      if (initial.stored !== undefined) await initial.stored
      heldBack = await commit(write)
    } catch (error) {
      if (error instanceof SupersededError) deps.onSuperseded()
      dispatch({ type: 'write-failed', error: storageError(error) })
      return
    }
    // The operations are stored and covered by the cursor, so nobody will fetch them again: show them.
    if (stopped && write.kind === 'append') deps.onShow(write.ops, write.attested)
    dispatch({ type: 'written', heldBack })
    if (write.kind === 'settle') deps.onSettled(write.attested)
    else if (write.kind === 'queue-missing') deps.onSettled([])
  }

  /** Returns whether operations that the log lacks are held back. */
  async function commit(write: Write): Promise<boolean> {
    switch (write.kind) {
      case 'adopt-log':
        await storage.putSyncState(spaceId, write.state)
        return false
      case 'append':
        await storage.appendRemote(spaceId, write.ops, write.state, write.attested)
        return false
      case 'settle':
        await storage.settleOutbox(spaceId, write.entries, write.refused, write.state, write.attested)
        return false
      case 'keep-seal':
        await storage.putSeal(spaceId, write.seal)
        return false
      case 'queue-missing':
        return (await storage.queueMissing(spaceId, write.logId, write.mayQueue)) > 0 && !write.mayQueue
    }
  }

  function request(request: Request): void {
    const askedOver = link
    const number = ++latestRequest
    if (askedOver === null) return
    const { register } = deps
    const { userId } = initial
    sendRequest(spaceId, request, askedOver, { register, userId }, (event) => {
      // Drop a reply that the machine no longer waits for: it rejoined, or the connection broke.
      const isAwaited = number === latestRequest && machine.request === request.kind
      if (link === askedOver && isAwaited) dispatch(event)
    })
  }

  return {
    get machine() {
      return machine
    },
    connected(next) {
      link = next
      dispatch({ type: 'connected' })
    },
    disconnected() {
      link = null
      dispatch({ type: 'disconnected' })
    },
    edited: () => dispatch({ type: 'edited' }),
    appended(payload) {
      let range: LogRange
      try {
        range = logRangeOf(spaceId, payload)
      } catch {
        // A batch that cannot be read counts as lost: a range without operations leaves a gap, which is pulled.
        range = { ...payload, ops: [], attested: [], after: payload.cursor }
      }
      dispatch({ type: 'appended', range })
    },
    sealed: (seal) => dispatch({ type: 'sealed', seal }),
    choose: (identity) => dispatch({ type: 'chosen', identity }),
    closed: (reason) => dispatch({ type: 'closed', reason }),
    distrust: () => dispatch({ type: 'distrusted' }),
    retry() {
      if (link !== null) dispatch({ type: 'connected' })
    },
    async stop() {
      const left = link
      stopped = true
      link = null
      cancelRetry()
      endRest()
      if (left !== null) left.request('space:leave', { spaceId }, () => {})
      await writing
    },
  }
}

function storageError(error: unknown): ErrorBody {
  return { code: 'storage_failed', message: `This device's storage failed: ${messageOf(error)}` }
}
