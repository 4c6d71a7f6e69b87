import {
  decodeBatch,
  encodeBatch,
  errorBodyFrom,
  limits,
  messageOf,
  SyncError,
  type ErrorBody,
  type NotificationPayload,
  type SpaceId,
  type TreeOperation,
} from '@t69/protocol'

import type { Link } from '../link/index.ts'
import {
  createSyncMachine,
  type Effect,
  type LogRange,
  type Request,
  step,
  type SyncEvent,
  type SyncMachine,
  type Write,
} from '../machine/index.ts'
import { backoffMs, restAfterMs, type Runtime } from '../runtime/index.ts'
import { type ClientStorage, SupersededError, type SyncState } from '../storage/index.ts'

export interface SpaceSyncDeps {
  readonly storage: ClientStorage
  readonly runtime: Runtime
  /** Makes the space on the server and notes it in the storage. Repeating it is harmless. */
  readonly register: () => Promise<void>
  readonly renewSession: () => void
  /** Operations from the server, which are stored by now. In the log's order. */
  readonly onShow: (ops: readonly TreeOperation[]) => void
  readonly onChange: (machine: SyncMachine) => void
  /** The outbox, or what was refused, may have changed. */
  readonly onSettled: () => void
  /** Another tab leads, and has written. */
  readonly onSuperseded: () => void
}

/** Runs one space's sync machine: carries out its effects and tells it what became of them. */
export interface SpaceSync {
  readonly machine: SyncMachine
  connected(link: Link): void
  disconnected(): void
  edited(): void
  appended(payload: NotificationPayload<'ops:appended'>): void
  closed(reason: NotificationPayload<'space:closed'>['reason']): void
  /** Forgets a refusal and joins anew: the user was let in again, say. */
  retry(): void
  /** What is stored is not what the log has: reads it anew from its start. */
  distrust(): void
  /** Leaves the space; waits for a transaction that is under way. */
  stop(): Promise<void>
}

export function createSpaceSync(
  spaceId: SpaceId,
  initial: { readonly saved: SyncState; readonly registered: boolean },
  deps: SpaceSyncDeps,
): SpaceSync {
  const { storage, runtime } = deps
  let machine = createSyncMachine(initial.saved, initial.registered)
  let link: Link | null = null
  let stopped = false
  let writing: Promise<void> = Promise.resolve()
  let requests = 0
  let cancelRetry = (): void => {}
  let restMs = 0
  let endRest = (): void => {}

  // Events that come while an event is being handled wait for their turn, so that effects run in order.
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
        void request(effect.request)
        return
      case 'read-outbox':
        void storage.readOutbox(spaceId, effect.budgetBytes).then(
          (slice) => dispatch({ type: 'outbox-read', slice }),
          (error: unknown) => dispatch({ type: 'outbox-failed', error: storageError(error) }),
        )
        return
      case 'show': {
        const startedAt = runtime.now()
        deps.onShow(effect.ops)
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
      case 'renew-session':
        deps.renewSession()
        return
    }
  }

  /** Lets the page be a page between merges that take long, while what comes gathers in the inbox. */
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
    if (write.kind === 'append' && restMs > 0) await rest()
    try {
      await commit(write)
    } catch (error) {
      if (error instanceof SupersededError) deps.onSuperseded()
      dispatch({ type: 'write-failed', error: storageError(error) })
      return
    }
    // Stored all the same, and covered by the cursor: nobody will fetch it again.
    if (stopped && write.kind === 'append') deps.onShow(write.ops)
    dispatch({ type: 'written' })
    if (write.kind === 'settle' || write.kind === 'queue-missing') deps.onSettled()
  }

  async function commit(write: Write): Promise<void> {
    switch (write.kind) {
      case 'adopt-log':
        return storage.putSyncState(spaceId, write.state)
      case 'append':
        return storage.appendRemote(spaceId, write.ops, write.state)
      case 'settle':
        return storage.settleOutbox(spaceId, write.entries, write.refused, write.state)
      case 'queue-missing':
        await storage.queueMissing(spaceId, write.logId)
    }
  }

  async function request(request: Request): Promise<void> {
    const asked = link
    const number = ++requests
    if (asked === null) return
    const event = await answer(asked, request).catch((error: unknown): SyncEvent => ({
      type: 'refused',
      error: errorBodyFrom(error),
    }))
    // An answer that the machine no longer waits for (it joined anew, the connection broke) says nothing.
    if (link === asked && number === requests && machine.request === request.kind) dispatch(event)
  }

  async function answer(asked: Link, request: Request): Promise<SyncEvent> {
    switch (request.kind) {
      case 'register':
        await deps.register()
        return { type: 'registered' }
      case 'join': {
        const { logId, epoch, cursor } = request.from
        const known = logId === null || epoch === null ? {} : { logId, epoch, cursor }
        const ack = await asked.request('space:join', { spaceId, ...known })
        return ack.ok ? { type: 'joined', reply: ack } : { type: 'refused', error: ack.error }
      }
      case 'pull': {
        const { after, maxBytes } = request
        const ack = await asked.request('ops:pull', {
          spaceId,
          after,
          ...(maxBytes < limits.batchBudgetBytes && { maxBytes }),
        })
        if (!ack.ok) return { type: 'refused', error: ack.error }
        return { type: 'pulled', range: rangeOf(ack), head: ack.head }
      }
      case 'push': {
        const batch = encodeBatch({ spaceId, ops: request.ops })
        const ack = await asked.request('ops:push', { spaceId, batch })
        return ack.ok ? { type: 'pushed', ack } : { type: 'refused', error: ack.error }
      }
    }
  }

  function rangeOf(page: Omit<LogRange, 'ops'> & { readonly batch: Uint8Array }): LogRange {
    const { logId, epoch, after, cursor, batch } = page
    const decoded = decodeBatch(batch)
    if (decoded.spaceId !== spaceId)
      throw new SyncError('internal', 'The server sent the batch of another space')
    return { logId, epoch, after, cursor, ops: decoded.ops }
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
        range = rangeOf(payload)
      } catch {
        // A batch that cannot be read is as good as lost: without the operations it is a gap, to be pulled.
        range = { ...payload, ops: [], after: payload.cursor }
      }
      dispatch({ type: 'appended', range })
    },
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
      if (left !== null) void left.request('space:leave', { spaceId })
      await writing
    },
  }
}

function storageError(error: unknown): ErrorBody {
  return { code: 'storage_failed', message: `This device's storage failed: ${messageOf(error)}` }
}
