import { type Epoch, type ErrorBody, type SpaceId, SyncError } from '@t69/protocol'
import { LRUCache } from 'lru-cache'

import { type Budget, costs, unlimitedBudget } from '../limits/budget.ts'
import type { OpLog, OpLogs } from '../logs/op-log.ts'
import { errorBodyOf } from '../ports/error-body.ts'
import { type Logger, silentLogger } from '../ports/logger.ts'
import { type Metrics, noMetrics } from '../ports/metrics.ts'
import { type ServerRuntime, systemServerRuntime } from '../ports/server-runtime.ts'
import { noQuotas, type Quotas } from './quotas.ts'
import { createRenewalLimit } from './renewal-limit.ts'
import { createReopenedLogs } from './reopened-logs.ts'
import { serveSpace, type ServedSpace } from './served-space.ts'
import type { Publish, Space } from './space.ts'
import { createTreeQuestions, type TreeQuestions, type TreeQuestionsOptions } from './tree-questions.ts'

/** The spaces of a server. Each is opened when it is used, and closed when it has not been used for a while. */
export interface Spaces extends TreeQuestions {
  /** How many spaces are open. */
  readonly size: number
  /**
   * The space, with its file created if it is new. The caller has checked that the space exists and who may enter.
   * Use it within this turn of the event loop only, since a space is closed when it is not used. Opening is charged
   * to `budget`. Throws `storage_failed` when the file cannot be used, and what `budget` throws.
   */
  open(spaceId: SpaceId, budget?: Budget): Space
  /**
   * Sets who is told of commits, and of logs that were replaced, before the first push. `replaced` means that
   * everybody in the space has to join again.
   */
  publishTo(publish: Publish, replaced?: (spaceId: SpaceId) => void): void
  /** Closes the space and removes its file. Repeating it is harmless. */
  delete(spaceId: SpaceId): void
  /** Commits waiting pushes and closes every file. */
  close(): Promise<void>
}

export interface SpacesOptions extends TreeQuestionsOptions {
  readonly opLogs: OpLogs
  /** Names this process in the logs that it commits to: a new random id at each start. */
  readonly epoch: Epoch
  readonly runtime?: ServerRuntime
  readonly logger?: Logger
  readonly metrics?: Metrics
  /** Default: none. */
  readonly quotas?: Quotas
  /** How many spaces are open at once. An open space costs three file handles and some memory. */
  readonly maxOpen?: number
  /** How long a space stays open after its last use, in ms. */
  readonly idleMs?: number
}

interface ServedEntry {
  readonly space: ServedSpace
  readonly log: OpLog
  /** The space as callers get it: it reports failures of the storage. */
  readonly handle: Space
}

/** Commits are grouped by space and turn of the event loop. Errors of one space leave the others alone. */
export function createSpaces({
  opLogs,
  epoch,
  runtime = systemServerRuntime,
  logger = silentLogger,
  metrics = noMetrics,
  quotas = noQuotas,
  maxOpen = 200,
  idleMs = 5 * 60_000,
  ...treeOptions
}: SpacesOptions): Spaces {
  const renewals = createRenewalLimit(runtime.now)
  let publish: Publish = () => {}
  let replaced: (spaceId: SpaceId) => void = () => {}
  let cancelSweep: (() => void) | undefined
  let isClosed = false

  const served = new LRUCache<SpaceId, ServedEntry>({
    max: maxOpen,
    ttl: idleMs,
    ttlResolution: 0,
    perf: runtime,
    updateAgeOnGet: true,
    // `disposeAfter` rather than `dispose`: a last commit that fails deletes the space from the cache again, and a
    // cache that counts one entry out twice gives its place to two spaces.
    disposeAfter: ({ space }, spaceId) => {
      closeQuietly(spaceId, () => space.close())
      logs.left(spaceId, space.state)
    },
  })

  const logs = createReopenedLogs({
    opLogs,
    epoch,
    logger,
    metrics,
    replaced: (spaceId) => replaced(spaceId),
    closeOldest: () => {
      const { size } = served
      served.pop()
      return size
    },
  })

  function sweepLater(): void {
    cancelSweep ??= runtime.setTimer(() => {
      cancelSweep = undefined
      served.purgeStale()
      if (served.size > 0) sweepLater()
    }, idleMs)
  }

  function closeQuietly(spaceId: SpaceId, close: () => void): void {
    try {
      close()
    } catch (error) {
      logger.error({ err: error, spaceId }, 'a space failed to close')
    }
  }

  /** The space as it is served already, or served from now on. */
  function serve(spaceId: SpaceId, budget: Budget): ServedEntry {
    if (isClosed) throw new SyncError('unavailable', 'the server is shutting down')
    const found = served.get(spaceId)
    if (found !== undefined && isSound(spaceId, found.log)) return found
    budget.checkOperations()
    budget.spendOperations(costs.openingSpace)
    const log = reporting(spaceId, () => logs.open(spaceId))
    const space = serveSpace({
      spaceId,
      log,
      schedule: runtime.schedule,
      metrics,
      quotas,
      publish: (commit) => publish(commit),
      takeRenewal: () => renewals.take(spaceId),
      onFailure: (error) => {
        // The next use opens the log again: the disk may work again by then.
        served.delete(spaceId)
        return report(spaceId, error)
      },
    })
    const handle: Space = {
      id: spaceId,
      get state() {
        return space.state
      },
      join: (position) => reporting(spaceId, () => space.join(position)),
      push: (push, settle) => space.push(push, settle),
      pull: (after, maxBytes) => reporting(spaceId, () => space.pull(after, maxBytes)),
    }
    const entry = { space, log, handle }
    served.set(spaceId, entry)
    sweepLater()
    return entry
  }

  /** Whether the log is still what is at its path. If not, releases the space. */
  function isSound(spaceId: SpaceId, log: OpLog): boolean {
    try {
      reporting(spaceId, () => log.check())
      return true
    } catch (error) {
      if (error instanceof SyncError && error.code === 'storage_failed') return false
      throw error
    }
  }

  function report(spaceId: SpaceId, error: unknown): ErrorBody {
    const cause = error instanceof SyncError ? (error.cause ?? error) : error
    metrics.storageFailed()
    logger.error({ err: cause, spaceId }, 'the storage of a space fails')
    return errorBodyOf(error, () => {})
  }

  function reporting<Result>(spaceId: SpaceId, run: () => Result): Result {
    try {
      return run()
    } catch (error) {
      releaseIfFailed(spaceId, error)
      throw error
    }
  }

  /** Releases a space whose file fails, without another commit. */
  function releaseIfFailed(spaceId: SpaceId, error: unknown): void {
    if (!(error instanceof SyncError) || error.code !== 'storage_failed') return
    served.delete(spaceId)
    report(spaceId, error)
  }

  const questions = createTreeQuestions(
    { open: (spaceId, budget) => serve(spaceId, budget).log, failed: releaseIfFailed },
    treeOptions,
  )

  return {
    ...questions,
    get size() {
      return served.size
    },
    open: (spaceId, budget = unlimitedBudget) => serve(spaceId, budget).handle,
    publishTo: (next, whenReplaced = () => {}) => {
      publish = next
      replaced = whenReplaced
    },
    delete: (spaceId) => {
      const found = served.peek(spaceId)
      if (found !== undefined) {
        const gone = new SyncError('not_found', 'the space was deleted').body
        closeQuietly(spaceId, () => found.space.abandon(gone))
        served.delete(spaceId)
      }
      logs.forget(spaceId)
      renewals.forget(spaceId)
      reporting(spaceId, () => opLogs.delete(spaceId))
    },
    close: () => {
      cancelSweep?.()
      served.clear()
      isClosed = true
      return Promise.resolve()
    },
  }
}
