import { type Epoch, type ErrorBody, type SpaceId, SyncError } from '@t69/protocol'
import { LRUCache } from 'lru-cache'

import { type Budget, unlimitedBudget, work } from '../limits/budget.ts'
import { isOutOfFiles } from '../logs/is-out-of-files.ts'
import type { OpLog, OpLogs } from '../logs/op-log.ts'
import { type Logger, silentLogger } from '../ports/logger.ts'
import { type Metrics, noMetrics } from '../ports/metrics.ts'
import { type ServerRuntime, systemServerRuntime } from '../ports/server-runtime.ts'
import { openSpace, type OpenSpace } from './open-space.ts'
import { noQuotas, type Quotas } from './quotas.ts'
import type { LogState, Publish, Space } from './space.ts'
import { createTreeQuestions, type TreeQuestions, type TreeQuestionsOptions } from './tree-questions.ts'

/** The spaces of a server: opened when somebody needs one, closed when nobody has for a while. */
export interface Spaces extends TreeQuestions {
  /** How many are open. */
  readonly size: number
  /**
   * The space's log, its file made when it is new. Whether the space exists and who may enter is the
   * platform's to say, before this. Throws `storage_failed` when the file cannot be used. Not to be kept
   * beyond the turn of the event loop: a space that nobody uses is closed, and opened anew. Whoever has a
   * budget pays for that.
   */
  open(spaceId: SpaceId, budget?: Budget): Space
  /**
   * Who hears of commits, and of logs that others know and that are gone: the gateway, set once before the
   * first push.
   */
  publishTo(publish: Publish, replaced?: (spaceId: SpaceId) => void): void
  /** Closes the space and removes its file. Repeating it is harmless. */
  delete(spaceId: SpaceId): void
  /** Finishes commits that are under way and closes every file. */
  close(): Promise<void>
}

export interface SpacesOptions extends TreeQuestionsOptions {
  readonly opLogs: OpLogs
  /** Names this process in the logs that it commits to: a fresh random id for each start. */
  readonly epoch: Epoch
  readonly runtime?: ServerRuntime
  readonly logger?: Logger
  readonly metrics?: Metrics
  /** Default: none. */
  readonly quotas?: Quotas
  /** How many spaces stay open at once: an open file costs three handles and some memory. */
  readonly maxOpen?: number
  /** How long a space stays open after it was used last. */
  readonly idleMs?: number
}

/**
 * How often one log may get a new id. A restored backup takes one for each start of the server; a member who
 * invents positions would have everybody read the log from its start each time.
 */
const renewalIntervalMs = 10 * 60_000

/** Of how many spaces it is remembered where their logs stood when they were closed. */
const maxRemembered = 10_000

interface OpenEntry {
  readonly space: OpenSpace
  readonly log: OpLog
  /** What others get: the space, with failures of its storage reported and let go. */
  readonly handle: Space
}

/** Commits are grouped per space and turn of the event loop; errors of one space leave the others alone. */
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
  const renewedAt = new Map<SpaceId, number>()
  /** A file can be replaced while nobody has it open, and by setting it aside too. */
  const leftAt = new LRUCache<SpaceId, LogState>({ max: maxRemembered })
  let publish: Publish = () => {}
  let replaced: (spaceId: SpaceId) => void = () => {}
  let cancelSweep: (() => void) | undefined
  let isClosed = false
  let saidOutOfFiles = false

  const open = new LRUCache<SpaceId, OpenEntry>({
    max: maxOpen,
    ttl: idleMs,
    ttlResolution: 0,
    perf: runtime,
    updateAgeOnGet: true,
    // After, not while it is taken out: a last commit that fails drops the space, which would take it out once
    // more, and a cache that counts an entry out twice gives its place to two spaces.
    disposeAfter: ({ space }, spaceId) => {
      closeQuietly(spaceId, () => space.close())
      leftAt.set(spaceId, space.state)
    },
  })

  function sweepLater(): void {
    cancelSweep ??= runtime.setTimer(() => {
      cancelSweep = undefined
      open.purgeStale()
      if (open.size > 0) sweepLater()
    }, idleMs)
  }

  function closeQuietly(spaceId: SpaceId, close: () => void): void {
    try {
      close()
    } catch (error) {
      logger.error({ err: error, spaceId }, 'a space failed to close')
    }
  }

  function openEntry(spaceId: SpaceId, budget: Budget): OpenEntry {
    if (isClosed) throw new SyncError('unavailable', 'the server is shutting down')
    const found = open.get(spaceId)
    if (found !== undefined && isSound(spaceId, found.log)) return found
    budget.checkOperations()
    budget.spendOperations(work.opening)
    const log = reporting(spaceId, () => openLog(spaceId))
    const space = openSpace({
      spaceId,
      log,
      schedule: runtime.schedule,
      metrics,
      quotas,
      publish: (commit) => publish(commit),
      takeRenewal: () => takeRenewal(spaceId),
      onFailure: (error) => {
        // What failed is opened anew next time: the disk may have been put right by then.
        open.delete(spaceId)
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
    open.set(spaceId, entry)
    sweepLater()
    return entry
  }

  /** A log that is not what it was is let go of, and whoever asked gets what is there now. */
  function isSound(spaceId: SpaceId, log: OpLog): boolean {
    try {
      reporting(spaceId, () => log.check())
      return true
    } catch (error) {
      if (error instanceof SyncError && error.code === 'storage_failed') return false
      throw error
    }
  }

  /** Where the process may open no more files, the space that was used longest ago makes room. */
  function openFile(spaceId: SpaceId): OpLog {
    try {
      return opLogs.open(spaceId, epoch)
    } catch (error) {
      if (!isOutOfFiles(error) || open.size === 0) throw error
      if (!saidOutOfFiles) {
        logger.warn(
          { openSpaces: open.size },
          'no more files can be opened: allow more, or fewer open spaces',
        )
      }
      saidOutOfFiles = true
      open.pop()
      return opLogs.open(spaceId, epoch)
    }
  }

  /** A log that is not the one that was left: whoever is in the space has to learn of it before they go on. */
  function openLog(spaceId: SpaceId): OpLog {
    const log = openFile(spaceId)
    const left = leftAt.get(spaceId)
    if (left === undefined) return log
    try {
      const { logId, epoch: leftIn, head: cursor } = left
      if (log.holds({ logId, epoch: leftIn, cursor })) {
        // Committed, though it was said to have failed: nobody was sent it.
        if (log.head > cursor) replaced(spaceId)
        return log
      }
      if (log.logId === logId) log.renewLogId()
      metrics.historyLost()
      logger.warn({ spaceId, logId: log.logId }, 'the log of a space was replaced while the server ran')
    } catch (error) {
      closeQuietly(spaceId, () => log.close())
      throw error
    }
    leftAt.delete(spaceId)
    replaced(spaceId)
    return log
  }

  function takeRenewal(spaceId: SpaceId): number {
    const now = runtime.now()
    const elapsedMs = now - (renewedAt.get(spaceId) ?? -Infinity)
    // Less than none where the clock was set back: nobody waits until it is there once more.
    if (elapsedMs >= 0 && elapsedMs < renewalIntervalMs) return Math.ceil(renewalIntervalMs - elapsedMs)
    renewedAt.set(spaceId, now)
    return 0
  }

  function report(spaceId: SpaceId, error: unknown): ErrorBody {
    const cause = error instanceof SyncError ? (error.cause ?? error) : error
    metrics.storageFailed()
    logger.error({ err: cause, spaceId }, 'the storage of a space fails')
    return error instanceof SyncError ? error.body : new SyncError('internal', 'the server failed').body
  }

  function reporting<Result>(spaceId: SpaceId, run: () => Result): Result {
    try {
      return run()
    } catch (error) {
      noteFailure(spaceId, error)
      throw error
    }
  }

  /** Lets go of a space whose file fails, without another commit. */
  function noteFailure(spaceId: SpaceId, error: unknown): void {
    if (!(error instanceof SyncError) || error.code !== 'storage_failed') return
    open.delete(spaceId)
    report(spaceId, error)
  }

  const questions = createTreeQuestions(
    { open: (spaceId, budget) => openEntry(spaceId, budget).log, failed: noteFailure },
    treeOptions,
  )

  return {
    ...questions,
    get size() {
      return open.size
    },
    open: (spaceId, budget = unlimitedBudget) => openEntry(spaceId, budget).handle,
    publishTo: (next, whenReplaced = () => {}) => {
      publish = next
      replaced = whenReplaced
    },
    delete: (spaceId) => {
      const found = open.peek(spaceId)
      if (found !== undefined) {
        const gone = new SyncError('not_found', 'the space was deleted').body
        closeQuietly(spaceId, () => found.space.abandon(gone))
        open.delete(spaceId)
      }
      leftAt.delete(spaceId)
      renewedAt.delete(spaceId)
      reporting(spaceId, () => opLogs.delete(spaceId))
    },
    close: () => {
      cancelSweep?.()
      open.clear()
      isClosed = true
      return Promise.resolve()
    },
  }
}
