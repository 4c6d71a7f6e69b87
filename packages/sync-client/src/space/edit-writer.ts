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
  /** Those of them that are not being written now. */
  readonly waiting: readonly TreeOperation[]
  /** Why the last write failed, or null. Its edits are kept in memory and written again later. */
  readonly error: unknown
  /** Resolves when every edit added so far is on disk. */
  stored(): Promise<void>
  /** Starts to write the waiting edits now, not at the end of the turn: the page may be closed at any moment. */
  writeNow(): void
  /** Tries to write the waiting edits one last time. Rejects if the storage refuses them. */
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
  /** Called when edits are on disk. They count as unstored until its promise resolves. */
  readonly onStored: (ops: readonly TreeOperation[]) => Promise<void>
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
  /** The keys of the edits that are not on disk yet. */
  const unstoredKeys = new Set<string>()
  let unstored = 0
  let error: unknown = null
  let failures = 0
  let scheduled = false
  /** The transactions under way: usually one, and more after `writeNow`. */
  const underWay = new Set<Promise<void>>()
  let cancelRetry: (() => void) | null = null
  let waiters: (() => void)[] = []
  let isAbandoned = false

  function add(op: TreeOperation): void {
    if (isAbandoned) return
    buffer.push(op)
    unstoredKeys.add(opKey(op))
    unstored++
    if (unstored === 1) onChange()
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
      buffer = [...ops, ...buffer]
      error = thrown
      cancelRetry ??= runtime.setTimer(retry, backoffMs(failures++, runtime, 0, backoff))
      onChange()
      return
    }
    error = null
    failures = 0
    for (const op of ops) unstoredKeys.delete(opKey(op))
    await onStored(ops)
    unstored -= ops.length
    onChange()
    if (unstored === 0) {
      for (const resolve of waiters) resolve()
      waiters = []
    }
  }

  function retry(): void {
    cancelRetry?.()
    cancelRetry = null
    schedule()
  }

  return {
    add,
    adopt(ops) {
      for (const op of ops) if (!unstoredKeys.has(opKey(op))) add(op)
    },
    get unstored() {
      return unstored
    },
    get waiting() {
      return buffer
    },
    get error() {
      return error
    },
    stored: () => (unstored === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
    writeNow: () => void flush(),
    async close() {
      while (underWay.size > 0) await Promise.all(underWay)
      await flush()
      cancelRetry?.()
      if (unstored > 0) throw error
    },
    reopen: retry,
    abandon() {
      isAbandoned = true
      buffer = []
      cancelRetry?.()
    },
  }
}
