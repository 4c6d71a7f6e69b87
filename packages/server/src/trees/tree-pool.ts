import { extname } from 'node:path'

import { type SpaceId, SyncError } from '@t69/protocol'
import { Piscina } from 'piscina'

import type { TreeReader } from '../spaces/tree-reader.ts'
import type { TreeAnswer, TreeTask } from './tree-thread.ts'

export interface TreePool {
  readonly read: TreeReader
  /** Rejects what is under way with `unavailable`. */
  close(): Promise<void>
}

/** A second thread beside the one that serves: whatever trees are read, a core is left for everything else. */
const threads = 1

/** The thread ends when nobody has asked for so long. */
const idleMs = 30_000

/** Questions that wait; users have limits of their own long before. */
const maxQueue = 1_000

const retryAfterMs = 5_000

/**
 * Reads trees of the files under `dataDir` on a thread of its own: a large one takes a second, in which nobody
 * would be served, and memory that the server itself must not run out of. `damaged` is called when a file turns
 * out to be. A thread that needs more than `threadMegabytes` ends, and takes nothing with it but the question.
 */
export function createTreePool({
  dataDir,
  damaged,
  threadMegabytes = 512,
}: {
  readonly dataDir: string
  readonly damaged: (spaceId: SpaceId) => void
  readonly threadMegabytes?: number
}): TreePool {
  const pool = new Piscina<TreeTask, TreeAnswer>({
    filename: new URL(`./tree-thread${extname(import.meta.url)}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: threads,
    maxQueue,
    idleTimeout: idleMs,
    resourceLimits: { maxOldGenerationSizeMb: threadMegabytes },
  })
  let isClosed = false

  async function run(task: TreeTask): Promise<TreeAnswer> {
    if (isClosed) throw new SyncError('unavailable', 'the server is shutting down')
    if (pool.queueSize >= maxQueue) {
      throw new SyncError('unavailable', 'too many trees are asked for', { retryAfterMs })
    }
    try {
      return await pool.run(task)
    } catch (error) {
      // Of the thread that was ended.
      if (isClosed) throw new SyncError('unavailable', 'the server is shutting down')
      if (!isOutOfMemory(error)) throw error
      throw new SyncError('too_large', 'the tree takes too much memory to be read: read the log')
    }
  }

  return {
    read: async (question) => {
      const answer = await run({ dataDir, question })
      if (answer.ok) return answer.reading
      if (answer.isDamaged) damaged(question.spaceId)
      const failed = SyncError.from(answer.error)
      if (answer.cause !== undefined) failed.cause = new Error(answer.cause)
      throw failed
    },
    close: async () => {
      isClosed = true
      await pool.destroy()
    },
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
}
