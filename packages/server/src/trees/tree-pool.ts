import { extname } from 'node:path'

import { type SpaceId, SyncError } from '@t69/protocol'
import { Piscina } from 'piscina'

import type { TreeReader } from '../spaces/tree-reader.ts'
import type { TreeAnswer, TreeTask } from './tree-thread.ts'

export interface TreePool {
  readonly read: TreeReader
  /** Ends the thread. Questions under way reject with `unavailable`. */
  close(): Promise<void>
}

/** Threads beside the one that serves. With one, a core is left for everything else, whatever trees are read. */
const threads = 1

/** How long the thread waits for the next question before it ends, in ms. */
const idleMs = 30_000

/** Questions that may wait. Users reach their own limits long before. */
const maxQueue = 1_000

/** Wait after a full queue, in ms. */
const retryAfterMs = 5_000

/**
 * Reads trees from the files under `dataDir` on a thread of its own. A large tree takes a second, in which the server
 * would serve nobody else, and memory that the server must not run out of. Calls `damaged` for a damaged file. A
 * thread that needs more than `threadMegabytes` ends, and only its question fails with it.
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
      throw new SyncError('unavailable', 'too many trees are being read', { retryAfterMs })
    }
    try {
      return await pool.run(task)
    } catch (error) {
      // The error comes from ending the thread.
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
