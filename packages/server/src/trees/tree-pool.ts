import { extname } from 'node:path'

import { type SpaceId, SyncError, type UserId } from '@t69/protocol'
import { Piscina } from 'piscina'

import { createFairQueue } from '../limits/fair-queue.ts'
import type { TreeReader } from '../storage/tree-reader.ts'
import type { TreeAnswer, TreeTask } from './tree-thread.ts'

export interface TreePool {
  readonly read: TreeReader
  /** Ends the thread. Questions under way reject with `unavailable`. */
  close(): Promise<void>
}

/** Threads beside the one that serves. With one, a core is left for everything else, whatever trees are read. */
const threads = 1

/** Bytes of values that are read for each megabyte that the thread has. What is built of them takes about as much again. */
const valueBytesPerMegabyte = 2 ** 18

/** How long the thread waits for the next question before it ends, in ms. */
const idleMs = 30_000

/** Questions that may wait, of everybody and of one user. */
const maxQueue = 1_000
const maxQueueOfUser = 100

/** Questions of one user that may wait whatever the others ask. */
const fewQuestions = 4

/** Wait after a full queue, in ms. */
const retryAfterMs = 5_000

/**
 * Reads trees from the files under `dataDir` on a thread of its own. A large tree takes a second, in which the server
 * would serve nobody else, and memory that the server must not run out of. Calls `damaged` for a damaged file. The
 * thread has `threadMegabytes`: a tree whose values would take most of that is not read to its end, and a thread that runs
 * out all the same ends, and only its question fails with it.
 */
export function createTreePool({
  dataDir,
  damaged,
  spent = () => {},
  threadMegabytes = 512,
}: {
  readonly dataDir: string
  readonly damaged: (spaceId: SpaceId) => void
  /** Tells what was done for a user, in ms of a core. Default: nobody is told. */
  readonly spent?: (userId: UserId, ms: number) => void
  readonly threadMegabytes?: number
}): TreePool {
  const pool = new Piscina<TreeTask, TreeAnswer>({
    filename: new URL(`./tree-thread${extname(import.meta.url)}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: idleMs,
    resourceLimits: { maxOldGenerationSizeMb: threadMegabytes },
  })
  const queue = createFairQueue<() => Promise<void>>()
  /** Questions that wait or are being answered, by whom they are for. */
  const waiting = new Map<string, number>()
  let lastNr = 0
  let isReading = false
  let isClosed = false

  /** Reads one tree at a time: next that of whoever had least of the thread. */
  function inTurn(task: TreeTask): Promise<TreeAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<TreeAnswer>()
    const { payer = '' } = task.question
    const read = async () => {
      try {
        resolve(await pool.run(task))
      } catch (error) {
        // Also where the system allows no more threads, which the pool throws at once.
        reject(error)
      }
    }
    queue.add({ job: read, lane: `${++lastNr}`, payers: [{ name: payer, weight: 1 }] })
    void readNext()
    return promise
  }

  async function readNext(): Promise<void> {
    if (isReading) return
    const next = queue.next()
    if (next === undefined) return
    isReading = true
    const begun = performance.now()
    await next.job()
    queue.worked(performance.now() - begun, true)
    isReading = false
    void readNext()
  }

  async function run(task: TreeTask): Promise<TreeAnswer> {
    if (isClosed) throw new SyncError('unavailable', 'the server is shutting down')
    const { payer = '' } = task.question
    const ofPayer = waiting.get(payer) ?? 0
    if (ofPayer >= maxQueueOfUser || (queue.size >= maxQueue && ofPayer >= fewQuestions)) {
      throw new SyncError('unavailable', 'too many trees are being read', { retryAfterMs })
    }
    waiting.set(payer, ofPayer + 1)
    try {
      return await inTurn(task)
    } catch (error) {
      // The error comes from ending the thread.
      if (isClosed) throw new SyncError('unavailable', 'the server is shutting down')
      if (!isOutOfMemory(error)) throw error
      throw tooLarge()
    } finally {
      const left = (waiting.get(payer) ?? 1) - 1
      if (left > 0) waiting.set(payer, left)
      else waiting.delete(payer)
    }
  }

  return {
    read: async (question) => {
      const maxBytes = Math.min(question.maxBytes, threadMegabytes * valueBytesPerMegabyte)
      const answer = await run({ dataDir, question: { ...question, maxBytes } })
      if (answer.ok) {
        if (question.payer !== undefined) spent(question.payer, answer.cpuMs)
        if (answer.reading.text === null && maxBytes < question.maxBytes) throw tooLarge()
        return answer.reading
      }
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

function tooLarge(): SyncError {
  return new SyncError('too_large', 'the tree takes too much memory to be read: read the log')
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
}
