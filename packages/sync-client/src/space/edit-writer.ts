import { opKey, type SpaceId, type TreeOperation } from '@t69/protocol'

import { backoffMs, type Runtime } from '../runtime/index.ts'
import type { ClientStorage, PageJournal } from '../storage/index.ts'

export interface EditWriter {
  /** Writes an edit at the end of this turn of the event loop, with all others that are made in it. */
  add(op: TreeOperation): void
  /** Adds the edits that this writer does not already have. */
  adopt(ops: readonly TreeOperation[]): void
  /** How many edits were made and are not known to be on disk yet. */
  readonly unstored: number
  /** Why the last attempt to write failed, or null. The edits are kept in memory, and written again later. */
  readonly error: unknown
  /** Resolves when every edit added so far is on disk. */
  stored(): Promise<void>
  /** Starts to write what waits now, without a wait for its turn: the page may be gone in a moment. */
  hurry(): void
  /** Tries one last time; throws when the storage does not take what is left. */
  close(): Promise<void>
}

export interface EditWriterDeps {
  readonly spaceId: SpaceId
  readonly runtime: Runtime
  readonly storage: Pick<ClientStorage, 'appendLocal'>
  readonly journal: Pick<PageJournal, 'around' | 'hold'>
  /** They are on disk. Awaited before they stop counting as unstored. */
  readonly onStored: (ops: readonly TreeOperation[]) => Promise<void>
  /** `unstored` or `error` has changed. */
  readonly onChange: () => void
}

/** Shorter than for a server: this waits for the device's own disk, and someone may lose what they write. */
const patience = { baseMs: 500, capMs: 5_000 }

/**
 * Puts edits on disk as they are made: all of one turn, and all that come while a transaction is under
 * way, in one transaction each. No timer is involved, so a tab in the background writes as fast as any.
 */
export function createEditWriter(deps: EditWriterDeps): EditWriter {
  const { spaceId, runtime, storage, journal, onStored, onChange } = deps
  let buffer: TreeOperation[] = []
  /** The ids of the edits that are not on disk yet. */
  const inHand = new Set<string>()
  let unstored = 0
  let error: unknown = null
  let failures = 0
  let scheduled = false
  /** Transactions under way: one, or more when hurried. */
  const underWay = new Set<Promise<void>>()
  let cancelRetry: (() => void) | null = null
  let waiting: (() => void)[] = []

  function add(op: TreeOperation): void {
    buffer.push(op)
    inHand.add(opKey(op))
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
      buffer = [...ops, ...buffer]
      error = thrown
      cancelRetry ??= runtime.setTimer(retry, backoffMs(failures++, runtime, 0, patience))
      onChange()
      return
    }
    error = null
    failures = 0
    for (const op of ops) inHand.delete(opKey(op))
    await onStored(ops)
    unstored -= ops.length
    onChange()
    if (unstored === 0) {
      for (const resolve of waiting) resolve()
      waiting = []
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
      for (const op of ops) if (!inHand.has(opKey(op))) add(op)
    },
    get unstored() {
      return unstored
    },
    get error() {
      return error
    },
    stored: () => (unstored === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    hurry: () => void flush(),
    async close() {
      while (underWay.size > 0) await Promise.all(underWay)
      await flush()
      cancelRetry?.()
      if (unstored > 0) throw error
    },
  }
}
