import {
  type ErrorBody,
  limits,
  packBatches,
  encodeBatch,
  type SpaceId,
  SyncError,
  type TreeId,
  type TreeOperation,
} from '@t69/protocol'
import { LRUCache } from 'lru-cache'

import type { LogPosition, OpLog } from '../logs/op-log.ts'
import type { Metrics } from '../ports/metrics.ts'
import { admit, createStage, type LogView } from './admit.ts'
import type { Quotas } from './quotas.ts'
import type { LogState, Publish, Push, PushOutcome, Space } from './space.ts'

/** Bytes that an operation takes in a file besides its value: ids in a row of the table and in one of its index. */
const bytesPerOp = 250

/** Trees of a space whose highest clock is remembered. Finding a clock again costs microseconds. */
const maxRememberedTrees = 1_000

interface WaitingPush {
  readonly push: Push
  readonly settle: (outcome: PushOutcome) => void
}

export interface ServedSpaceOptions {
  readonly spaceId: SpaceId
  readonly log: OpLog
  readonly schedule: (callback: () => void) => void
  readonly metrics: Metrics
  readonly quotas: Quotas
  /** Called after each commit, push by push. Must not throw. */
  readonly publish: Publish
  /** Takes a renewal of the log's id, and returns 0. Otherwise returns how many milliseconds it has to wait. */
  readonly takeRenewal: () => number
  /** A commit failed: the log's own fields may be wrong from then on. Returns what the pushers are told. */
  readonly onFailure: (error: unknown) => ErrorBody
}

/** A space whose log is open. */
export interface ServedSpace extends Space {
  /** Refuses the waiting pushes and closes the log. */
  abandon(reason: ErrorBody): void
  /** Commits the waiting pushes and closes the log. */
  close(): void
}

/**
 * Serves a space from its log. Pushes of one turn of the event loop are committed together, since each transaction
 * costs a flush to the disk. Each push keeps a contiguous range of its own.
 */
export function serveSpace({
  spaceId,
  log,
  schedule,
  metrics,
  quotas,
  publish,
  takeRenewal,
  onFailure,
}: ServedSpaceOptions): ServedSpace {
  const view = createCachedView(log)
  let waiting: WaitingPush[] = []

  const stateOf = (): LogState => ({ logId: log.logId, epoch: log.epoch, head: log.head })

  function commitWaiting(): void {
    const group = waiting
    waiting = []
    if (group.length === 0) return
    let admitted
    let position: number
    try {
      const stage = createStage(view)
      const { bytes } = log
      const held = { ops: log.head, bytes }
      admitted = group.map(({ push, settle }) => {
        const admission = admit(push.ops, stage, quotas.roomIn(spaceId, held))
        for (const op of admission.accepted) stage.add(op)
        held.ops += admission.accepted.length
        held.bytes += weightOf(push, admission.accepted.length)
        return { push, settle, ...admission }
      })
      const committed = metrics.committing()
      const range = log.append(admitted.flatMap(({ accepted }) => accepted))
      position = range.after
      quotas.grown(spaceId, held.bytes - bytes)
      if (range.cursor > range.after) committed(range.cursor - range.after)
    } catch (error) {
      const outcome: PushOutcome = { ok: false, error: onFailure(error) }
      for (const { settle } of group) settle(outcome)
      return
    }
    for (const { accepted, rejected } of admitted) {
      view.raise(accepted)
      for (const { code } of rejected) metrics.rejected(code)
    }
    const state = stateOf()
    for (const { push, settle, accepted, duplicates, rejected } of admitted) {
      if (accepted.length === 0) continue
      const after = position
      position += accepted.length
      settle({ ok: true, ...state, after, cursor: position, duplicates, rejected })
      const batch = accepted.length === push.ops.length ? push.batch : undefined
      const { logId, epoch } = state
      publish({
        spaceId,
        logId,
        epoch,
        after,
        cursor: position,
        ops: accepted,
        batch,
        originId: push.originId,
      })
    }
    // These acks name the head, so they follow all acks and appends that lead up to it.
    for (const { settle, accepted, duplicates, rejected, refusal } of admitted) {
      if (accepted.length > 0) continue
      const added = { after: state.head, cursor: state.head, duplicates, rejected }
      settle(refusal === undefined ? { ok: true, ...state, ...added } : { ok: false, error: refusal })
    }
  }

  return {
    id: spaceId,
    get state() {
      return stateOf()
    },

    join: ({ logId, epoch, cursor = 0 }) => {
      const position: LogPosition | undefined = logId && { logId, epoch, cursor }
      const isHeld = position !== undefined && log.holds(position)
      const renewed = !isHeld && logId === log.logId
      if (renewed) {
        const retryAfterMs = takeRenewal()
        if (retryAfterMs > 0) {
          throw new SyncError('rate_limited', 'the log got a new id a moment ago', { retryAfterMs })
        }
        log.renewLogId()
      }
      return { ...stateOf(), cursor: isHeld ? cursor : 0, renewed }
    },

    push: (push, settle) => {
      waiting.push({ push, settle })
      if (waiting.length === 1) schedule(commitWaiting)
    },

    pull: (after, maxBytes = limits.batchBudgetBytes) => {
      const state = stateOf()
      if (after > state.head) {
        throw new SyncError('invalid_request', `the log ends at ${state.head}`, { at: 'after' })
      }
      // Encoded operations are smaller than what was read for them, so all of them fit the first batch.
      const read = log.read(after, { maxOps: limits.maxBatchOps, maxBytes })
      const page = packBatches(spaceId, read, { budgetBytes: maxBytes }).next()
      if (page.done === true)
        return { ...state, after, cursor: after, batch: encodeBatch({ spaceId, ops: [] }) }
      return { ...state, after, cursor: after + page.value.count, batch: page.value.bytes }
    },

    abandon: (error) => {
      const group = waiting
      waiting = []
      for (const { settle } of group) settle({ ok: false, error })
      log.close()
    },
    close: () => {
      commitWaiting()
      log.close()
    },
  }
}

/** About how many bytes a push adds to a file when `taken` of its operations are accepted. */
function weightOf({ batch }: Push, taken: number): number {
  return taken === 0 ? 0 : (batch?.byteLength ?? 0) + taken * bytesPerOp
}

interface CachedView extends LogView {
  raise(ops: readonly TreeOperation[]): void
}

/** A view of the log that remembers the highest committed clock of each tree. */
function createCachedView(log: OpLog): CachedView {
  const clocks = new LRUCache<TreeId, number>({ max: maxRememberedTrees })
  return {
    compare: (op) => log.compare(op),
    wasDeleted: (vertex) => log.wasDeleted(vertex),
    maxClock: (treeId) => {
      let clock = clocks.get(treeId)
      if (clock === undefined) clocks.set(treeId, (clock = log.maxClock(treeId)))
      return clock
    },
    raise: (ops) => {
      for (const { treeId, clock } of ops) {
        const known = clocks.get(treeId)
        // A tree that is not remembered stays so: this clock may be below its highest, which the log knows.
        if (known !== undefined && clock > known) clocks.set(treeId, clock)
      }
    },
  }
}
