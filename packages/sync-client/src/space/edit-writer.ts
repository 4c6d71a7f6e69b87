import { opKey, type SpaceId, type TreeOperation } from '@t69/protocol'

import { backoffMs, type Runtime } from '../runtime/index.ts'
import type { ClientStorage, PageJournal } from '../storage/index.ts'

export interface EditWriter {
  /** Writes an edit at the end of this turn of the event loop, together with the turn's other edits. */
  add(op: TreeOperation): void
  /** Adds the edits that this writer does not already have. */
  adopt(ops: readonly TreeOperation[]): void
  /** How many edits are not known to be on disk yet. */
  readonly unstored: number
  /** Those edits, in the order in which they were made. */
  readonly edits: readonly TreeOperation[]
  /** Why the last write failed, or null. Its edits are kept in memory and written again later. */
  readonly error: unknown
  /** Resolves when every edit added so far is on disk, whatever is added meanwhile. */
  stored(): Promise<void>
  /**
   * Starts to write the waiting edits now, not at the end of the turn: the page may be closed at any moment. Resolves when
   * this has ended, well or not, and so have the writes that were under way.
   */
  writeNow(): Promise<void>
  /**
   * Writes until nothing waits, and tries what the storage has refused one last time. Rejects if it refuses again. Whoever
   * goes on adding edits keeps it from resolving.
   */
  close(): Promise<void>
  /** Writes again, after a `close` that has settled, beginning with the edits that it could not store. */
  reopen(): void
  /** Drops the waiting edits: the space is removed from this device. */
  abandon(): void
}

export interface EditWriterDeps {
  readonly spaceId: SpaceId
  readonly runtime: Runtime
  readonly storage: Pick<ClientStorage, 'appendLocal'>
  readonly journal: Pick<PageJournal, 'around' | 'hold'>
  /** Called when edits are on disk. They count as unstored until it calls `counted`, or its promise resolves. */
  readonly onStored: (ops: readonly TreeOperation[], counted: () => void) => Promise<void>
  /** Called when `unstored` or `error` has changed. */
  readonly onChange: () => void
}

/** Backoff between writes. Shorter than for a server: the disk is local, and the user may lose unstored edits. */
const backoff = { baseMs: 500, capMs: 5_000 }

/**
 * Stores edits as they are made. The edits of one turn are one transaction, and those made while a transaction is
 * under way are the next. No timer is involved, so a background tab writes as fast as any other.
 */
export function createEditWriter(deps: EditWriterDeps): EditWriter {
  const { spaceId, runtime, storage, journal, onStored, onChange } = deps
  let buffer: TreeOperation[] = []
  /** The edits that are not known to be on disk, in the order in which they were made. */
  const unstored = new Set<TreeOperation>()
  let error: unknown = null
  let failures = 0
  let scheduled = false
  /** The transactions under way: usually one, and more after `writeNow`. */
  const underWay = new Set<Promise<void>>()
  let cancelRetry: (() => void) | null = null
  /** What each call of `stored` waits for. */
  const waiters = new Set<{ readonly missing: Set<TreeOperation>; readonly resolve: () => void }>()
  let isAbandoned = false

  function add(op: TreeOperation): void {
    if (isAbandoned) return
    buffer.push(op)
    unstored.add(op)
    if (unstored.size === 1) onChange()
    schedule()
  }

  function schedule(): void {
    if (scheduled || underWay.size > 0) return
    scheduled = true
    queueMicrotask(() => {
      scheduled = false
      if (cancelRetry !== null) journal.hold(spaceId, buffer)
      else if (underWay.size === 0) void flush()
    })
  }

  function flush(): Promise<void> {
    if (buffer.length === 0) return Promise.resolve()
    const ops = buffer
    buffer = []
    const transaction = write(ops).finally(() => {
      underWay.delete(transaction)
      if (buffer.length > 0) schedule()
    })
    underWay.add(transaction)
    return transaction
  }

  async function write(ops: TreeOperation[]): Promise<void> {
    try {
      await journal.around(spaceId, ops, () => storage.appendLocal(spaceId, ops))
    } catch (thrown) {
      if (isAbandoned) return
      const waiting = new Set([...ops, ...buffer])
      buffer = Array.from(unstored).filter((op) => waiting.has(op))
      error = thrown
      cancelRetry ??= runtime.setTimer(retry, backoffMs(failures++, runtime, 0, backoff))
      onChange()
      return
    }
    error = null
    failures = 0
    // The disk takes edits: what it refused before need not wait.
    forgetRetry()
    const counted = (): void => {
      for (const op of ops) unstored.delete(op)
    }
    await onStored(ops, counted)
    counted()
    onChange()
    for (const waiter of waiters) {
      for (const op of ops) waiter.missing.delete(op)
      if (waiter.missing.size > 0) continue
      waiters.delete(waiter)
      waiter.resolve()
    }
  }

  function stored(): Promise<void> {
    if (unstored.size === 0) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    waiters.add({ missing: new Set(unstored), resolve })
    return promise
  }

  function forgetRetry(): void {
    cancelRetry?.()
    cancelRetry = null
  }

  function retry(): void {
    forgetRetry()
    schedule()
  }

  return {
    add,
    adopt(ops) {
      const known = new Set(Array.from(unstored, opKey))
      for (const op of ops) {
        const key = opKey(op)
        if (known.has(key)) continue
        known.add(key)
        add(op)
      }
    },
    get unstored() {
      return unstored.size
    },
    get edits() {
      return Array.from(unstored)
    },
    get error() {
      return error
    },
    stored,
    async writeNow() {
      void flush()
      await Promise.all(underWay)
    },
    async close() {
      do {
        await Promise.all(underWay)
        await flush()
      } while (underWay.size > 0 || (buffer.length > 0 && error === null))
      cancelRetry?.()
      if (unstored.size > 0 && !isAbandoned) throw error
    },
    reopen: retry,
    abandon() {
      isAbandoned = true
      buffer = []
      cancelRetry?.()
    },
  }
}
