import { type SpaceId, spaceIdSchema, type SpaceIdentity, SyncError } from '@t69/protocol'

import type { Storage, StorageCall, StorageCalls } from './storage.ts'
import { createThread, type Thread, type ThreadOptions } from './thread.ts'
import type { TreeReader } from './tree-reader.ts'

/** Which spaces have had a log, and whose it was, as the accounts know it. */
export interface KnownLogs {
  has(spaceId: SpaceId): boolean
  add(spaceId: SpaceId): void
  identityOf(spaceId: SpaceId): SpaceIdentity | undefined
}

export interface StorageThreadsOptions extends ThreadOptions {
  /** How many threads there are. Each starts when it is needed first, or at `start`. */
  readonly threads: number
  readonly known: KnownLogs
  /** Reads trees, on a thread of its own: a large one takes a second. */
  readonly readTree: TreeReader
}

export interface StorageThreads extends Storage {
  /** Another reader met damage in the log: it is examined when it is opened next. */
  suspect(spaceId: SpaceId): void
  /** Resolves once every thread has answered. */
  answers(): Promise<void>
  /** Starts every thread, so that nobody waits for that later. */
  start(): void
}

/**
 * A storage on threads of its own. Each has a part of the spaces, by a hash of their ids, so that calls about one space
 * keep their order, and flushes of spaces on different threads overlap. The event loop touches no file.
 *
 * A thread that ends takes nothing with it: what it was asked is answered with `storage_failed`, which is repeated by whoever
 * asked, its spaces are lost (`onLost`), and the next call starts another thread.
 */
export function createStorageThreads(options: StorageThreadsOptions): StorageThreads {
  const { threads: count, known, readTree } = options
  let lost: (isLost: (spaceId: SpaceId) => boolean) => void = () => {}
  const threads = Array.from({ length: count }, (_, index) =>
    createThread(options, () => lost((spaceId) => partOf(spaceId, count) === index)),
  )

  function threadOf(spaceId: SpaceId): Thread {
    const thread = threads[partOf(spaceId, count)]
    if (thread === undefined) throw new Error(`there are no ${count} threads`)
    return thread
  }

  const call =
    <Name extends StorageCall>(name: Name) =>
    async (given: StorageCalls[Name]['given']): Promise<StorageCalls[Name]['answer']> =>
      threadOf(given.spaceId).call(name, given)

  /** Asks each thread about its part of many spaces. */
  const byThread = <Answer>(
    spaceIds: readonly SpaceId[],
    ask: (thread: Thread, spaceIds: SpaceId[]) => Promise<Answer>,
  ): Promise<Answer[]> =>
    Promise.all(
      threads.map((thread, index) =>
        ask(
          thread,
          spaceIds.filter((spaceId) => partOf(spaceId, count) === index),
        ),
      ),
    )

  return {
    open: async (given) => {
      const { spaceId } = given
      const thread = threadOf(spaceId)
      const hasLog = known.has(spaceId)
      const opened = await thread.call('open', given, { hasLog, identity: known.identityOf(spaceId) })
      if (opened === 'deleted' || hasLog) return opened
      try {
        known.add(spaceId)
        return opened
      } catch (error) {
        await thread.call('release', { spaceId })
        throw error
      }
    },
    join: call('join'),
    commit: async (given) => {
      // What came belongs to the socket, and is still sent to others: its bytes are copied once, and the copy is handed over.
      const pushes = given.pushes.map((push) => ({ ...push, batch: new Uint8Array(push.batch) }))
      return threadOf(given.spaceId).call('commit', { ...given, pushes })
    },
    page: call('page'),
    countTree: call('countTree'),
    keepAccess: call('keepAccess'),
    release: call('release'),
    remove: call('remove'),
    bytesOf: async (spaceIds) => {
      const sizes = await byThread(spaceIds, bytesOn)
      return sizes.reduce((sum, bytes) => sum + bytes, 0)
    },
    existing: async (spaceIds) => (await byThread(spaceIds, (thread, ids) => thread.existing(ids))).flat(),
    readTree,
    suspect: (spaceId) => threadOf(spaceId).suspect(spaceId),
    answers: async () => {
      await Promise.all(threads.map((thread) => thread.existing([nowhere])))
    },
    start: () => {
      for (const thread of threads) thread.start()
    },
    onLost: (listener) => {
      lost = listener
    },
    close: async () => {
      await Promise.all(threads.map((thread) => thread.end()))
    },
  }
}

/** Logs on a thread that fails count 0, like those that cannot be read: whoever owns them may write to others meanwhile. */
async function bytesOn(thread: Thread, spaceIds: readonly SpaceId[]): Promise<number> {
  try {
    return await thread.bytesOf(spaceIds)
  } catch (error) {
    if (error instanceof SyncError && error.code === 'storage_failed') return 0
    throw error
  }
}

/** The id of no space. */
const nowhere = spaceIdSchema.parse('0'.repeat(32))

/** The thread that a space belongs to, by the FNV-1a hash of its id. */
function partOf(spaceId: SpaceId, count: number): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < spaceId.length; index++) {
    hash = Math.imul(hash ^ spaceId.charCodeAt(index), 0x01000193)
  }
  // The high bits are mixed best.
  return Math.floor(((hash >>> 0) / 2 ** 32) * count)
}
