import type { TreeOperation } from '@t69/protocol'

import { backoffMs, type Runtime } from '../runtime/index.ts'

export interface EditWriter {
  /** To be written at the end of this turn of the event loop, with whatever else is made in it. */
  add(op: TreeOperation): void
  /** Made, and not known to be on disk yet. */
  readonly unstored: number
  /** Why the last attempt to write failed, or null. The edits are kept in memory and tried again. */
  readonly error: unknown
  /** Everything added so far is on disk. */
  stored(): Promise<void>
  /** Starts writing what waits now, without a wait for its turn: the page may be gone in a moment. */
  hurry(): void
  /** One last attempt; throws when the storage does not take what is left. */
  close(): Promise<void>
}

export interface EditWriterDeps {
  readonly runtime: Runtime
  /** One transaction. */
  readonly append: (ops: readonly TreeOperation[]) => Promise<void>
  /** They wait for the next attempt, since the last one failed: all that do. */
  readonly hold: (ops: readonly TreeOperation[]) => void
  /** They are on disk. Awaited before they stop to count as unstored. */
  readonly onStored: (ops: readonly TreeOperation[]) => Promise<void>
  /** `unstored` or `error` has changed. */
  readonly onChange: () => void
}

/** What is tried is on this device, and somebody may lose what they write: sooner than with a server. */
const patience = { baseMs: 500, capMs: 5_000 }

/**
 * Puts edits on disk as they are made: all of one turn, and all that come while a transaction is under
 * way, in one transaction each. No timer is involved, so a tab in the background writes as fast as any.
 */
export function createEditWriter(deps: EditWriterDeps): EditWriter {
  const { runtime, append, onStored, onChange } = deps
  let buffer: TreeOperation[] = []
  let unstored = 0
  let error: unknown = null
  let failures = 0
  let scheduled = false
  /** Transactions under way: one, or more when hurried. */
  const underWay = new Set<Promise<void>>()
  let cancelRetry: (() => void) | null = null
  let waiting: (() => void)[] = []

  function schedule(): void {
    if (scheduled || underWay.size > 0) return
    scheduled = true
    queueMicrotask(() => {
      scheduled = false
      if (cancelRetry !== null) deps.hold(buffer)
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
      await append(ops)
    } catch (thrown) {
      buffer = [...ops, ...buffer]
      error = thrown
      cancelRetry ??= runtime.setTimer(retry, backoffMs(failures++, runtime, 0, patience))
      onChange()
      return
    }
    error = null
    failures = 0
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
    add(op) {
      buffer.push(op)
      unstored++
      if (unstored === 1) onChange()
      schedule()
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
