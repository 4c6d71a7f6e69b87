import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'

import { type Epoch, type SpaceId, SyncError, type UserId } from '@t69/protocol'

import type { StorageCall, StorageCalls } from './storage.ts'
import { errorOf } from './thread-failure.ts'
import type { CallMessage, FromThread, KnownSpace, ThreadData, ToThread } from './thread-messages.ts'

/** Calls that may wait for one thread. Beyond that, only whoever has few of them may add to them. */
const maxWaiting = 10_000

/** Calls of one user that may wait: they may have as many spaces, all of which a device joins when it connects. */
const maxWaitingOfUser = 2_000

/** Calls of one user that may wait whatever the others have. */
const fewCalls = 16

/** The longest rest after a thread has ended, in ms. */
const maxRestMs = 30_000

/** How long a thread runs at least that did not end because of what it met at once, in ms. */
const soundMs = 10_000

/** Wait after a full queue, in ms. */
const retryAfterMs = 1_000

/** Memory of one thread, in MiB. The largest group takes some tens. */
const threadMegabytes = 512

/**
 * Calls that are not refused, however many wait: what they undo or let go of would stay otherwise. Of an open space, one
 * commit waits at a time.
 */
const neverRefused: readonly StorageCall[] = ['commit', 'keepAccess', 'release', 'remove']

export interface ThreadOptions {
  readonly dataDir: string
  /** `full`: a commit survives power loss. `normal`: it survives the process. */
  readonly synchronous: 'full' | 'normal'
  /** Names this process in the logs that it commits to. */
  readonly epoch: Epoch
  /** Unix milliseconds. */
  readonly now: () => number
  /** Tells the operator what happened to which file, and that a thread ended. */
  readonly warn: (details: object, message: string) => void
  /** Tells what was done for a user, in ms of a core. Default: nobody is told. */
  readonly spent?: (userId: UserId, ms: number) => void
  /** Milliseconds, of a clock that nobody sets. */
  readonly monotonic?: () => number
  /** For tests. Default: starts `storage-thread`. */
  readonly start?: (data: ThreadData) => Worker
}

/**
 * The event loop's end of a thread. Starts it with the first call, and again after it has ended: at once, unless it ended
 * before it had answered anything, or soon and not for the first time. Then it rests before, longer each time.
 */
export interface Thread {
  /** `known` goes with `open`. Rejects like a `Storage`. */
  call<Name extends StorageCall>(
    name: Name,
    given: StorageCalls[Name]['given'],
    known?: KnownSpace,
  ): Promise<StorageCalls[Name]['answer']>
  bytesOf(spaceIds: readonly SpaceId[]): Promise<number>
  existing(spaceIds: readonly SpaceId[]): Promise<readonly SpaceId[]>
  suspect(spaceId: SpaceId): void
  /** Starts the thread, if it does not run. */
  start(): void
  /** Resolves when everything that was asked is answered, and the thread has ended. */
  end(): Promise<void>
}

interface Waiting {
  readonly payer: UserId | undefined
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

export function createThread(
  {
    dataDir,
    synchronous,
    epoch,
    now,
    warn,
    spent = () => {},
    monotonic = () => performance.now(),
    start = startThread,
  }: ThreadOptions,
  /** The thread has ended by itself, and with it every log that it had open. */
  lost: () => void,
): Thread {
  let running: { readonly worker: Worker; readonly ended: Promise<void> } | undefined
  let isEnding = false
  let lastNr = 0
  const waiting = new Map<number, Waiting>()
  const byPayer = new Map<UserId | undefined, number>()
  /** How often it has ended soon. */
  let deaths = 0
  let startedAt = 0
  let hasAnswered = false
  let restsUntil = 0
  let outbox: ToThread[] = []
  let handedOver: ArrayBuffer[] = []

  function count(payer: UserId | undefined, more: number): void {
    const of = (byPayer.get(payer) ?? 0) + more
    if (of > 0) byPayer.set(payer, of)
    else byPayer.delete(payer)
  }

  function run(): Worker {
    if (running !== undefined) return running.worker
    hasAnswered = false
    startedAt = monotonic()
    const worker = begin()
    const ended = Promise.withResolvers<void>()
    let reason: unknown
    worker.on('message', (messages: readonly FromThread[]) => messages.forEach(receive))
    worker.on('error', (error) => {
      reason = error
    })
    worker.on('exit', (code) => {
      running = undefined
      rest()
      letGo(reason ?? new Error(`it ended with code ${code}`))
      ended.resolve()
    })
    // The server's sockets keep the process alive, or else whoever waits for an answer: see `receive`.
    worker.unref()
    running = { worker, ended: ended.promise }
    return worker
  }

  /** Throws `storage_failed` where the system allows no more threads: that counts as one that ended at once. */
  function begin(): Worker {
    try {
      return start({ dataDir, synchronous, epoch })
    } catch (error) {
      warn({ err: error }, 'a storage thread cannot be started')
      rest()
      const failed = failure(retryAfterMs)
      failed.cause = error
      throw failed
    }
  }

  /** Takes out who waits for an answer that is there. */
  function settled(nr: number): Waiting | undefined {
    const asked = waiting.get(nr)
    waiting.delete(nr)
    if (waiting.size === 0 && !isEnding) running?.worker.unref()
    if (asked !== undefined) count(asked.payer, -1)
    return asked
  }

  function receive(message: FromThread): void {
    if ('warning' in message) return warn(message.warning.details, message.warning.message)
    const asked = settled(message.nr)
    hasAnswered = true
    for (const { userId, ms } of message.spent) spent(userId, ms)
    if (message.ok) asked?.resolve(message.answer)
    else asked?.reject(errorOf(message.failure))
  }

  /** What ends each time that it starts must not be started by each request. */
  function rest(): void {
    deaths = monotonic() - startedAt >= soundMs ? 0 : deaths + 1
    const rests = hasAnswered ? deaths - 1 : deaths
    if (rests > 0) restsUntil = monotonic() + Math.min(maxRestMs, retryAfterMs * 2 ** (rests - 1))
  }

  /** Answers whoever waits for a thread that has ended. */
  function letGo(reason: unknown): void {
    const unanswered = [...waiting.values()]
    takeOutbox()
    waiting.clear()
    byPayer.clear()
    if (isEnding && unanswered.length === 0) return
    warn(
      { err: reason, unanswered: unanswered.length },
      'a storage thread ended; the next request starts another',
    )
    lost()
    for (const { reject } of unanswered) {
      const failed = failure(retryAfterMs)
      failed.cause = reason
      reject(failed)
    }
  }

  /** What is asked in one turn goes in one message, since each wakes the thread. */
  function post(message: ToThread, bytes: readonly ArrayBuffer[] = []): void {
    if (outbox.length === 0) process.nextTick(postAll)
    outbox.push(message)
    handedOver.push(...bytes)
  }

  function postAll(): void {
    const [messages, bytes] = takeOutbox()
    try {
      if (messages.length > 0) running?.worker.postMessage(messages, bytes)
    } catch (error) {
      // A bug of whoever asks what no thread can be sent. All that was asked in this turn fails, and says so.
      for (const message of messages) if ('nr' in message) settled(message.nr)?.reject(asError(error))
    }
  }

  function takeOutbox(): [ToThread[], ArrayBuffer[]] {
    const taken: [ToThread[], ArrayBuffer[]] = [outbox, handedOver]
    outbox = []
    handedOver = []
    return taken
  }

  /** `message` has the number that it is given. The answer is what the thread answers to it. */
  function ask(
    message: (nr: number) => Exclude<ToThread, { name: 'suspect' }>,
    {
      bytes = [],
      payer,
    }: { readonly bytes?: readonly ArrayBuffer[]; readonly payer?: UserId | undefined } = {},
  ): Promise<unknown> {
    const nr = ++lastNr
    return new Promise((resolve, reject) => {
      const worker = run()
      waiting.set(nr, { payer, resolve, reject })
      count(payer, 1)
      worker.ref()
      post(message(nr), bytes)
    })
  }

  function refuse(name: StorageCall | 'bytesOf' | 'existing', payer?: UserId): SyncError | undefined {
    if (isEnding) return new SyncError('unavailable', 'the server is shutting down')
    const restMs = Math.ceil(restsUntil - monotonic())
    if (running === undefined && restMs > 0) return failure(restMs)
    if (neverRefused.some((it) => it === name)) return undefined
    const ofPayer = byPayer.get(payer) ?? 0
    const isFull = waiting.size >= maxWaiting && ofPayer >= fewCalls
    if (!isFull && (payer === undefined || ofPayer < maxWaitingOfUser)) return undefined
    return new SyncError('unavailable', 'too much is waiting for the storage', { retryAfterMs })
  }

  return {
    call: async (name, given, known) => {
      const { payer } = given
      const refusal = refuse(name, payer)
      if (refusal !== undefined) throw refusal
      // The name goes with what is given, and the thread answers with what its desk returns for it.
      const message = (nr: number) =>
        ({ nr, name, given, now: now(), ...(known && { known }) }) as CallMessage
      const answer = await ask(message, { bytes: bytesOf(given), payer })
      return answer as StorageCalls[typeof name]['answer']
    },
    bytesOf: async (spaceIds) => {
      if (spaceIds.length === 0) return 0
      const refusal = refuse('bytesOf')
      if (refusal !== undefined) throw refusal
      return Number(await ask((nr) => ({ nr, name: 'bytesOf', spaceIds })))
    },
    existing: async (spaceIds) => {
      if (spaceIds.length === 0) return []
      const refusal = refuse('existing')
      if (refusal !== undefined) throw refusal
      return (await ask((nr) => ({ nr, name: 'existing', spaceIds }))) as SpaceId[]
    },
    suspect: (spaceId) => {
      if (refuse('release') !== undefined) return
      run()
      post({ name: 'suspect', spaceId })
    },
    start: () => {
      try {
        if (!isEnding) run()
      } catch {
        // The operator was told. The first call tries again.
      }
    },
    end: async () => {
      const isFirst = !isEnding
      isEnding = true
      if (running === undefined) return
      const { ended } = running
      try {
        if (isFirst) await ask((nr) => ({ nr, name: 'end' }))
      } catch (error) {
        warn({ err: error }, 'logs failed to close')
      }
      await ended
    },
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

function failure(retryAfterMs: number): SyncError {
  return new SyncError('storage_failed', 'the storage of this space fails', { retryAfterMs })
}

/** The bytes of pushes, which are the caller's to hand over. */
function bytesOf(given: object): ArrayBuffer[] {
  if (!('pushes' in given) || !Array.isArray(given.pushes)) return []
  return given.pushes.flatMap(({ batch }: { batch: Uint8Array }) =>
    batch.buffer instanceof ArrayBuffer ? [batch.buffer] : [],
  )
}

/** The young generation is small: with V8's default, each thread takes 10 MiB more. */
const resourceLimits = { maxOldGenerationSizeMb: threadMegabytes, maxYoungGenerationSizeMb: 4 }

function startThread(workerData: ThreadData): Worker {
  const url = new URL(`./storage-thread${extname(import.meta.url)}`, import.meta.url)
  return new Worker(url, { workerData, resourceLimits })
}
