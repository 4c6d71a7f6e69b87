import { type ErrorBody, limits, type SpaceId, SyncError, type UserId } from '@t69/protocol'

import type { KeptAccess } from '../logs/op-log.ts'
import type { Metrics } from '../ports/metrics.ts'
import type {
  CommittedGroup,
  JoinPosition,
  JoinedLog,
  JoinQuestion,
  LogPage,
  LogState,
  OpenedLog,
  PageRequest,
  Storage,
} from '../storage/storage.ts'
import type { Quotas } from './quotas.ts'
import type { RenewalLimit } from './renewal-limit.ts'
import type { Joining, JoinOptions, Page, PullBounds, Publish, PushOutcome, Space } from './space.ts'
import type { WaitingBytes } from './waiting-bytes.ts'
import { createWaitingPushes, type WaitingPush } from './waiting-pushes.ts'

export interface ServedSpaceOptions {
  readonly spaceId: SpaceId
  readonly opened: OpenedLog
  /** Whose question `opened.joined` answers. */
  readonly joining?: Joining | undefined
  readonly storage: Storage
  readonly schedule: (callback: () => void) => void
  /** Unix milliseconds. */
  readonly now: () => number
  readonly metrics: Metrics
  readonly quotas: Quotas
  readonly renewals: RenewalLimit
  readonly waitingBytes: WaitingBytes
  /** Called after each commit, push by push. Must not throw. */
  readonly publish: Publish
  /** What a refused push is told. */
  readonly bodyOf: (error: unknown) => ErrorBody
  /** A commit failed: it may be in the log all the same. Returns what the pushers are told. */
  readonly onFailure: (error: unknown) => ErrorBody
}

/** A space whose log is open in the storage. */
export interface ServedSpace extends Omit<Space, 'id' | 'join' | 'pull'> {
  /** As `Space.join`, for `payer`. */
  join(
    position: JoinPosition,
    given: JoinOptions & { readonly payer: UserId | undefined },
  ): ReturnType<Space['join']>
  /** As `Space.pull`, for `payer`. */
  pull(
    given: PullBounds & { readonly after: number; readonly payer: UserId | undefined },
  ): ReturnType<Space['pull']>
  /** Whether nothing was written since the log was opened: closing it then costs no flush. */
  readonly isUnwritten: boolean
  /** The access list that is kept in the log. */
  readonly kept: KeptAccess | undefined
  /** Keeps another one in the log, after the commit that is under way. */
  keepAccess(access: KeptAccess): Promise<void>
  /** Refuses the waiting pushes, and those that are being committed. */
  abandon(reason: ErrorBody): void
  /** Commits the waiting pushes and closes the log. */
  close(): Promise<void>
}

/**
 * Serves a space from its log. One commit of a space is under way at a time; what is pushed meanwhile gathers, and is
 * committed in the next one, since each transaction costs a flush to the disk. So the order in which commits are answered
 * is the order of the log.
 */
export function serveSpace(options: ServedSpaceOptions): ServedSpace {
  const { spaceId, opened, joining, storage, schedule, now, metrics, quotas, renewals, waitingBytes } =
    options
  const { publish, bodyOf, onFailure } = options
  let { state, access: kept } = opened
  /** What was answered with the opening of the log, for as long as somebody may ask for it. */
  const answered = new WeakMap(joining && opened.joined && [[joining.position, opened.joined]])
  const waiting = createWaitingPushes()
  let hasWritten = false
  /** Why the pushes of a commit under way are refused, though it may succeed. */
  let abandoned: ErrorBody | undefined
  /** While pushes wait or are committed: resolves when none is left. `begin` ends the wait for more of this turn. */
  let committing: { readonly begin: () => void; readonly done: Promise<void> } | undefined

  function commitSoon(): void {
    if (committing !== undefined) return
    const begun = Promise.withResolvers<void>()
    schedule(begun.resolve)
    committing = { begin: begun.resolve, done: begun.promise.then(commitWaiting) }
  }

  async function commitWaiting(): Promise<void> {
    while (waiting.size > 0) await commit(waiting.takeGroup())
    committing = undefined
  }

  function refuse(group: readonly WaitingPush[], error: ErrorBody): void {
    for (const { settle } of group) settle({ ok: false, error })
  }

  async function commit(group: readonly WaitingPush[]): Promise<void> {
    let allowed = group
    try {
      const allotment = await quotas.allotmentOf(spaceId)
      // In the turn in which the group is handed over. What is handed over later has to be asked about later.
      allowed = group.filter(mayStill)
      if (allowed.length === 0) return
      const committed = metrics.committing()
      const pushes = allowed.map(({ push: { userId, batch } }) => ({ userId, batch }))
      const before = state.head
      hasWritten = true
      const answer = await storage.commit({ spaceId, pushes, allotment, now: now() })
      quotas.grown(spaceId, answer.grownBytes)
      if (answer.state.head > before) committed(answer.state.head - before)
      tell(allowed, answer)
    } catch (error) {
      refuse(allowed, onFailure(error))
    }
  }

  function mayStill({ push, settle }: WaitingPush): boolean {
    try {
      push.checkAgain?.()
      return true
    } catch (error) {
      settle({ ok: false, error: bodyOf(error) })
      return false
    }
  }

  /** Publishes and acks, in one turn with the new state. Readers come first: whoever pushed shows it already. */
  function tell(group: readonly WaitingPush[], { state: reached, results }: CommittedGroup): void {
    state = reached
    if (abandoned !== undefined) return refuse(group, abandoned)
    const { logId, epoch } = state
    const addsNothing: (() => void)[] = []
    for (const [index, { push, settle }] of group.entries()) {
      const result = results[index]
      if (result?.ok !== true) {
        const error = result?.error ?? { code: 'internal', message: 'the storage did not answer a push' }
        addsNothing.push(() => settle({ ok: false, error }))
        continue
      }
      const { batch = push.batch, ...outcome } = result
      for (const { code } of outcome.rejected) metrics.rejected(code)
      const ack = () => settle({ ...state, ...outcome })
      const { after, cursor, at } = outcome
      if (cursor === after) {
        addsNothing.push(ack)
        continue
      }
      const { userId, originId } = push
      publish({ spaceId, logId, epoch, after, cursor, userId, at, batch, originId })
      ack()
    }
    // These acks name the head, so they follow all acks and appends that lead up to it.
    for (const ack of addsNothing) ack()
  }

  /** What was answered with the opening, unless a page is missing that was not asked for then. */
  function answerTo({ position, page }: JoinQuestion): JoinedLog | undefined {
    const joined = answered.get(position)
    const hasAll = joined?.isHeld === true && position.cursor === joined.state.head
    return page === undefined || hasAll || joined?.page !== undefined ? joined : undefined
  }

  /** What was read is of the log as it was before, if that has another id by now. */
  function requireSameLog({ logId }: LogState): void {
    if (logId !== state.logId) throw new SyncError('not_joined', 'the log has another id: join again')
  }

  return {
    get state() {
      return state
    },
    get isUnwritten() {
      return !hasWritten
    },
    get kept() {
      return kept
    },

    join: async (position, { renewed, page: asked, payer }) => {
      const mayRenew = renewals.waitMs(spaceId) === 0
      const question = questionOf({ position, page: asked })
      const joined = answerTo(question) ?? (await storage.join({ ...question, spaceId, mayRenew, payer }))
      if (joined.renewal === 'due') {
        const retryAfterMs = renewals.waitMs(spaceId)
        throw new SyncError('rate_limited', 'the log got a new id a moment ago', { retryAfterMs })
      }
      if (joined.renewal === 'renewed') {
        renewals.renewed(spaceId)
        state = joined.state
        renewed?.()
      }
      requireSameLog(joined.state)
      return {
        cursor: joined.isHeld ? (position.cursor ?? 0) : 0,
        page: asked && joined.page && pageOf(joined.page),
      }
    },

    push: (push, settle) => {
      const counted = waitingBytes.add(push.userId, push.batch.byteLength)
      const settleOnce = (outcome: PushOutcome): void => {
        counted()
        settle(outcome)
      }
      waiting.add({ push, settle: settleOnce })
      commitSoon()
    },

    pull: async ({ after, payer, ...asked }) => {
      const page = await storage.page({ ...boundsOf(asked), spaceId, after, payer })
      requireSameLog(page.state)
      return pageOf(page)
    },

    keepAccess: async (access) => {
      hasWritten = true
      await storage.keepAccess({ spaceId, access })
      kept = access
    },

    abandon: (error) => {
      abandoned = error
      refuse(waiting.takeAll(), error)
    },
    close: async () => {
      committing?.begin()
      await committing?.done
      await storage.release({ spaceId })
    },
  }
}

/** The same for the storage. */
export function questionOf({ position, page }: Joining): JoinQuestion {
  return { position, page: page && boundsOf(page) }
}

function boundsOf({ maxBytes = limits.batchBudgetBytes, takesCompressed = false }: PullBounds): PageRequest {
  return { maxBytes, takesCompressed }
}

function pageOf({ after, cursor, batch, commits }: LogPage): Page {
  return { after, cursor, batch, commits }
}
