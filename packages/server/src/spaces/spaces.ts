import { type ErrorBody, type SpaceId, SyncError, type UserId } from '@t69/protocol'
import { LRUCache } from 'lru-cache'

import { type Budget, costs, unlimitedBudget } from '../limits/budget.ts'
import { type AccessInLogs, noAccessInLogs } from '../ports/access-in-logs.ts'
import { errorBodyOf } from '../ports/error-body.ts'
import { type Logger, silentLogger } from '../ports/logger.ts'
import { type Metrics, noMetrics } from '../ports/metrics.ts'
import { type ServerRuntime, systemServerRuntime } from '../ports/server-runtime.ts'
import { LogGoneError } from '../storage/log-gone-error.ts'
import type { Storage } from '../storage/storage.ts'
import { noQuotas, type Quotas } from './quotas.ts'
import { createRenewalLimit } from './renewal-limit.ts'
import { createReopenedLogs } from './reopened-logs.ts'
import { questionOf, serveSpace, type ServedSpace } from './served-space.ts'
import type { Joining, Publish, Space } from './space.ts'
import { createTreeQuestions, type TreeQuestions, type TreeQuestionsOptions } from './tree-questions.ts'
import { createWaitingBytes } from './waiting-bytes.ts'

/** The spaces of a server. Each is opened when it is used, and closed when it has not been used for a while. */
export interface Spaces extends TreeQuestions {
  /** How many spaces are open, or being opened. */
  readonly size: number
  /**
   * Spaces whose storage failed, and has not worked since, with when it did in Unix milliseconds: the newest failure last. The
   * latest 1,000 at most.
   */
  readonly failing: ReadonlyMap<SpaceId, number>
  /**
   * The space, with its file created if it is new. The caller has checked that the space exists and who may enter.
   * Opening is charged to `budget`. It merges the access list in the log into the accounts, so the caller asks again who
   * may enter, as after every wait. Rejects with `storage_failed` when the file cannot be used, and with what `budget`
   * throws. `join` says what the caller asks the space next, with the same position: if the log has to be opened for it, that
   * is answered on the way. It is called when that begins.
   */
  open(spaceId: SpaceId, budget?: Budget, join?: () => Joining): Promise<Space>
  /**
   * Sets who is told of commits, and of logs that were replaced, before the first push. `replaced` means that
   * everybody in the space has to join again. `isWatched` says whether somebody is in the space.
   */
  publishTo(
    publish: Publish,
    replaced?: (spaceId: SpaceId) => void,
    isWatched?: (spaceId: SpaceId) => boolean,
  ): void
  /**
   * Keeps the present access list of the space in its log, or when it is opened next if the log takes no writes. Once it
   * resolves, nothing is committed any more that was handed to the storage before the call. Rejects with
   * `storage_failed` when the log cannot be opened. `inTurn` says when it is done. Default: now.
   */
  keepAccess(spaceId: SpaceId, inTurn?: (keep: () => Promise<void>) => Promise<void>): Promise<void>
  /** Those of the spaces of which there is a log, or the note that it was deleted. Opens nothing. */
  withLog(spaceIds: readonly SpaceId[]): Promise<readonly SpaceId[]>
  /** Closes the space, if it is open, and opens it: its file is examined if there is doubt about it. */
  reopen(spaceId: SpaceId): Promise<void>
  /** Compares the access lists of all open logs with the accounts, which others have changed. */
  reviewAccess(): Promise<void>
  /** Closes the space and removes its file. Repeating it is harmless. */
  delete(spaceId: SpaceId): Promise<void>
  /** Commits waiting pushes and closes every log. Takes no request from the call on. */
  close(): Promise<void>
}

export interface SpacesOptions extends TreeQuestionsOptions {
  readonly storage: Storage
  readonly runtime?: ServerRuntime
  readonly logger?: Logger
  readonly metrics?: Metrics
  /** Default: none. */
  readonly quotas?: Quotas
  /** Default: the logs keep no access lists. */
  readonly access?: AccessInLogs
  /** A space is to be opened whose log was deleted: the accounts are older than that. Default: nobody is told. */
  readonly foundDeleted?: (spaceId: SpaceId) => void
  /** How many spaces are open at once. An open space costs three file handles and some memory. */
  readonly maxOpen?: number
  /** How long a space stays open after its last use, in ms. */
  readonly idleMs?: number
  /** The same for a space that nobody is in, or that was only read: it is opened again in a millisecond. */
  readonly restMs?: number
  /** The same while more than `fewOpen` spaces are open: somebody opens one after another. */
  readonly shortRestMs?: number
}

/** Spaces that may stay open a while though nobody needs them, for whoever reads on. */
const fewOpen = 32

interface Entry {
  readonly opening: Promise<ServedSpace>
  /** Undefined while it is being opened. */
  space: ServedSpace | undefined
  readonly turn: Turn
  /** In whose turn it is opened; undefined for the server itself. */
  readonly payer: UserId | undefined
}

/** Where an opening stands that waits for its user's turn. One that was given up before it began opens nothing. */
interface Turn {
  state: 'waiting' | 'begun' | 'given up'
}

/** Failing spaces that are remembered. */
const maxFailing = 1_000

/** Commits are grouped by space. Errors of one space leave the others alone. */
export function createSpaces({
  storage,
  runtime = systemServerRuntime,
  logger = silentLogger,
  metrics = noMetrics,
  quotas = noQuotas,
  access = noAccessInLogs,
  foundDeleted = () => {},
  maxOpen = 200,
  idleMs = 5 * 60_000,
  restMs = 2_000,
  shortRestMs = 250,
  ...treeOptions
}: SpacesOptions): Spaces {
  const renewals = createRenewalLimit(runtime.monotonic)
  const waitingBytes = createWaitingBytes()
  let publish: Publish = () => {}
  let replaced: (spaceId: SpaceId) => void = () => {}
  let isWatched: (spaceId: SpaceId) => boolean = () => true
  /** Spaces whose list is being merged, which tells those who keep the list in the log. */
  const merging = new Set<SpaceId>()
  /** Spaces that are being closed. Each is opened again only afterwards. */
  const closing = new Map<SpaceId, Promise<void>>()
  const failing = new Map<SpaceId, number>()
  let cancelSweep: (() => void) | undefined
  let isClosed = false

  const served = new LRUCache<SpaceId, Entry>({
    max: maxOpen,
    ttl: idleMs,
    ttlResolution: 0,
    perf: { now: runtime.monotonic },
    updateAgeOnGet: true,
    // `disposeAfter` rather than `dispose`: what it causes may delete a space from the cache again, and a cache that
    // counts one entry out twice gives its place to two spaces.
    disposeAfter: (entry, spaceId) => {
      if (entry.turn.state !== 'begun') {
        entry.turn.state = 'given up'
        return
      }
      const closed = closeEntry(spaceId, entry)
      closing.set(spaceId, closed)
      void closed.then(() => closing.get(spaceId) === closed && closing.delete(spaceId))
    },
  })

  const logs = createReopenedLogs({
    storage,
    logger,
    metrics,
    replaced: (spaceId) => replaced(spaceId),
    closeOldest,
    foundDeleted,
  })

  storage.onLost((isLost) => {
    for (const spaceId of Array.from(served.keys())) if (isLost(spaceId)) served.delete(spaceId)
  })

  /** Never rejects. */
  async function closeEntry(spaceId: SpaceId, { opening }: Entry): Promise<void> {
    let space: ServedSpace
    try {
      space = await opening
    } catch {
      // Whoever opened it was told.
      return
    }
    try {
      await space.close()
    } catch (error) {
      logger.error({ err: error, spaceId }, 'a space failed to close')
    }
    logs.left(spaceId, space.state)
  }

  async function closeOldest(): Promise<number> {
    const { size } = served
    for (const spaceId of served.rkeys()) {
      // One that is being opened may wait for files itself.
      if (served.peek(spaceId)?.space === undefined) continue
      served.delete(spaceId)
      await closing.get(spaceId)
      return size - 1
    }
    return 0
  }

  function sweepLater(): void {
    cancelSweep ??= runtime.setTimer(
      () => {
        cancelSweep = undefined
        sweep()
        if (served.size > 0) sweepLater()
      },
      Math.min(idleMs, shortRestMs),
    )
  }

  function sweep(): void {
    served.purgeStale()
    const restedMs = served.size > fewOpen ? shortRestMs : restMs
    for (const [spaceId, { space }] of Array.from(served.entries())) {
      const unusedMs = idleMs - served.getRemainingTTL(spaceId)
      const isNeeded = isWatched(spaceId) && space?.isUnwritten !== true
      if (unusedMs >= restedMs && !isNeeded) served.delete(spaceId)
    }
  }

  /** The space as it is served already, or served from now on. */
  async function serve(spaceId: SpaceId, budget: Budget, join?: () => Joining): Promise<ServedSpace> {
    if (isClosed) throw new SyncError('unavailable', 'the server is shutting down')
    const found = served.get(spaceId)
    // Nobody waits for the turn of somebody else, who may have many spaces to open first.
    const isOfOthers = found?.turn.state === 'waiting' && found.payer !== budget.payer
    if (found !== undefined && !isOfOthers) return found.opening
    budget.checkOperations()
    budget.spendOperations(costs.openingSpace)
    const turn: Turn = { state: 'waiting' }
    const opening = budget.inTurn(() => {
      // Others took its place. Whoever asked for it does not wait for another turn.
      if (turn.state === 'given up') return serve(spaceId, unlimitedBudget, join)
      turn.state = 'begun'
      return openSpace(spaceId, budget.payer, join)
    })
    const entry: Entry = { opening, space: undefined, turn, payer: budget.payer }
    served.set(spaceId, entry)
    sweepLater()
    try {
      return (entry.space = await entry.opening)
    } catch (error) {
      if (served.peek(spaceId) === entry) served.delete(spaceId)
      if (isStorageFailure(error)) report(spaceId, error)
      throw error
    }
  }

  async function openSpace(
    spaceId: SpaceId,
    payer: UserId | undefined,
    join: (() => Joining) | undefined,
  ): Promise<ServedSpace> {
    await closing.get(spaceId)
    const joining = join?.()
    const opened = await logs.open({ spaceId, payer, join: joining && questionOf(joining) })
    failing.delete(spaceId)
    const space = serveSpace({
      spaceId,
      opened,
      joining,
      storage,
      schedule: runtime.schedule,
      now: runtime.now,
      metrics,
      quotas,
      renewals,
      waitingBytes,
      publish: (commit) => publish(commit),
      bodyOf,
      onFailure: (error) => {
        // The next use opens the log again: the disk may work again by then.
        release(spaceId, space, error)
        return bodyOf(error)
      },
    })
    try {
      await mergeAccess(spaceId, space)
      return space
    } catch (error) {
      await storage.release({ spaceId })
      throw error
    }
  }

  async function mergeAccess(spaceId: SpaceId, space: ServedSpace): Promise<void> {
    let list
    merging.add(spaceId)
    try {
      list = access.merged(spaceId, space.kept)
    } finally {
      merging.delete(spaceId)
    }
    try {
      if (list !== undefined) await space.keepAccess(list)
    } catch (error) {
      if (!isStorageFailure(error) || error instanceof LogGoneError) throw error
      // On a full disk people read on. The log gets the list when it is opened next.
      report(spaceId, error)
    }
  }

  async function keepAccess(
    spaceId: SpaceId,
    inTurn: (keep: () => Promise<void>) => Promise<void> = (keep) => keep(),
  ): Promise<void> {
    // The merging keeps the list itself.
    if (merging.has(spaceId)) return
    await inTurn(() => using(spaceId, unlimitedBudget, (space) => mergeAccess(spaceId, space)))
  }

  function report(spaceId: SpaceId, error: SyncError): void {
    metrics.storageFailed(spaceId)
    failing.delete(spaceId)
    failing.set(spaceId, runtime.now())
    for (const oldest of failing.keys()) {
      if (failing.size <= maxFailing) break
      failing.delete(oldest)
    }
    logger.error({ err: error.cause ?? error, spaceId }, 'the storage of a space fails')
  }

  /** Lets go of a space whose storage failed. It is opened again at its next use. */
  function release(spaceId: SpaceId, space: ServedSpace, error: unknown): void {
    if (!isStorageFailure(error)) return
    report(spaceId, error)
    if (served.peek(spaceId)?.space === space) served.delete(spaceId)
  }

  function bodyOf(error: unknown): ErrorBody {
    return errorBodyOf(error, (bug) => logger.error({ err: bug }, 'a push met a bug'))
  }

  /** Runs what uses an open space. Opens it again, and repeats, if its log turns out to be gone. */
  async function using<Result>(
    spaceId: SpaceId,
    budget: Budget,
    run: (space: ServedSpace) => Promise<Result>,
  ): Promise<Result> {
    const space = await serve(spaceId, budget)
    try {
      return await run(space)
    } catch (error) {
      release(spaceId, space, error)
      if (!(error instanceof LogGoneError)) throw error
    }
    const again = await serve(spaceId, budget)
    try {
      return await run(again)
    } catch (error) {
      release(spaceId, again, error)
      throw error
    }
  }

  function handleOf(spaceId: SpaceId, first: ServedSpace, payer: UserId | undefined): Space {
    let used = first
    const use = <Result>(run: (space: ServedSpace) => Promise<Result>): Promise<Result> =>
      using(spaceId, unlimitedBudget, (space) => {
        used = space
        return run(space)
      })
    return {
      id: spaceId,
      get state() {
        return used.state
      },
      join: (position, options) => use((space) => space.join(position, { ...options, payer })),
      pull: (after, bounds) => use((space) => space.pull({ ...bounds, after, payer })),
      push: (push, settle) => {
        if (served.get(spaceId)?.space === used) return used.push(push, settle)
        // It was closed since.
        const refuse = (error: unknown): void => settle({ ok: false, error: bodyOf(error) })
        void serve(spaceId, unlimitedBudget)
          .then((space) => space.push(push, settle))
          .catch(refuse)
      },
    }
  }

  const questions = createTreeQuestions({ storage, using, ...treeOptions })

  return {
    ...questions,
    get size() {
      return served.size
    },
    open: async (spaceId, budget = unlimitedBudget, join) =>
      handleOf(spaceId, await serve(spaceId, budget, join), budget.payer),
    publishTo: (next, whenReplaced = () => {}, watched = () => true) => {
      publish = next
      replaced = whenReplaced
      isWatched = watched
    },
    failing,
    keepAccess,
    withLog: (spaceIds) => storage.existing(spaceIds),
    reopen: async (spaceId) => {
      served.delete(spaceId)
      await serve(spaceId, unlimitedBudget)
    },
    reviewAccess: async () => {
      // A copy of the keys: each use of a space moves it to the front of the cache.
      const review = async (spaceId: SpaceId): Promise<void> => {
        try {
          await keepAccess(spaceId)
        } catch (error) {
          logger.error({ err: error, spaceId }, 'the access list in a log could not be compared')
        }
      }
      await Promise.all(Array.from(served.keys()).map(review))
    },
    delete: async (spaceId) => {
      served.peek(spaceId)?.space?.abandon(new SyncError('not_found', 'the space was deleted').body)
      served.delete(spaceId)
      renewals.forget(spaceId)
      await closing.get(spaceId)
      logs.forget(spaceId)
      try {
        await storage.remove({ spaceId })
        failing.delete(spaceId)
      } catch (error) {
        if (isStorageFailure(error)) report(spaceId, error)
        throw error
      }
    },
    close: async () => {
      cancelSweep?.()
      isClosed = true
      served.clear()
      await Promise.all(closing.values())
    },
  }
}

function isStorageFailure(error: unknown): error is SyncError {
  return error instanceof SyncError && error.code === 'storage_failed'
}
