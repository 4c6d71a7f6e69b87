import { parentPort, workerData } from 'node:worker_threads'

import { readBatchHeader, type SpaceId, type UserId } from '@t69/protocol'

import { createFairQueue, type Payer } from '../limits/fair-queue.ts'
import { createSqliteOpLogs } from '../logs/sqlite-op-logs.ts'
import { sizesOf } from './sizes-of.ts'
import type { Steps } from './steps.ts'
import { createStorageDesk } from './storage-desk.ts'
import type { EncodedPush, StorageCall, StorageCalls } from './storage.ts'
import { failureOf } from './thread-failure.ts'
import type { FromThread, KnownSpace, Spent, ThreadData, ToThread } from './thread-messages.ts'

/**
 * A thread of `createStorageThreads`: holds the open logs of its part of the spaces. It answers calls about one space in their
 * order, and shares its time fairly between the users for whom the calls are.
 */

const { dataDir, synchronous, epoch }: ThreadData = workerData
if (parentPort === null) throw new Error('it is a thread of a server, and no program')
const port = parentPort

/** How long it works before it takes what has come meanwhile, in ms. */
const momentMs = 2

interface StoragePayer extends Payer {
  /** Undefined for the server itself. */
  readonly userId?: UserId
}

const theServer: StoragePayer = { name: '', weight: 1 }

/** The server's time when the last call was made. */
let now = Date.now()
/** Spaces whose logs are open, as the accounts knew them then: a log that is written to is opened again. */
const known = new Map<SpaceId, KnownSpace>()

/** Answers that go together. */
let unsent: FromThread[] = []

const opLogs = createSqliteOpLogs({
  dataDir,
  synchronous,
  now: () => now,
  known: {
    has: (spaceId) => known.get(spaceId)?.hasLog ?? false,
    // The event loop notes it, once the log is open.
    add: () => {},
    identityOf: (spaceId) => known.get(spaceId)?.identity,
  },
  warn: (details, message) => send({ warning: { details, message } }),
})
const desk = createStorageDesk(opLogs, epoch)

type Asked = Exclude<ToThread, { name: 'suspect' | 'end' }>

/** What is done of a call, and what it took so far. */
interface Job {
  readonly asked: Asked
  readonly payers: readonly StoragePayer[]
  steps: Steps<unknown> | undefined
  cpuMs: number
}

const queue = createFairQueue<Job>()
let ending: number | undefined
let isRunning = false

/**
 * How long nobody asks for anything before operations settle, in ms: longer than a device far away takes to send the next of many
 * batches, which would wait.
 */
const quietMs = 250
/** After so many calls without a quiet moment, some settle all the same. */
const callsBetween = 256
let calls = 0
let nextTurn: NodeJS.Immediate | undefined
const quiet = setTimeout(settleInTurns, quietMs)

function settleInTurns(): void {
  if (isRunning) quiet.refresh()
  // Between two turns, messages are answered.
  else if (settling(() => desk.settleSome()) === true) nextTurn = setImmediate(settleInTurns)
}

function settling<Result>(settle: () => Result): Result | undefined {
  try {
    return settle()
  } catch (error) {
    send({ warning: { details: { err: error }, message: 'operations of a space could not settle' } })
    return undefined
  }
}

port.on('message', (messages: readonly ToThread[]) => {
  clearImmediate(nextTurn)
  quiet.refresh()
  for (const message of messages) take(message)
  runSoon()
})

function take(message: ToThread): void {
  if (++calls % callsBetween === 0) settling(() => desk.settleSome())
  if (message.name === 'suspect') opLogs.suspect(message.spaceId)
  else if (message.name === 'end') ending = message.nr
  else add(message)
}

function add(asked: Asked): void {
  const payers = payersOf(asked)
  queue.add({ job: { asked, payers, steps: undefined, cpuMs: 0 }, lane: laneOf(asked), payers })
}

function runSoon(): void {
  if (isRunning) return
  isRunning = true
  setImmediate(run)
}

/** Works for a moment, then takes what has come meanwhile, so that nobody waits behind all who came before. */
function run(): void {
  isRunning = false
  const hasMore = workForAMoment()
  // What was asked is answered, as far as it is done.
  settling(() => desk.settleOverdue())
  if (hasMore) runSoon()
  else end()
}

/** Returns whether there may be more to do. */
function workForAMoment(): boolean {
  const begun = performance.now()
  try {
    do {
      const waiting = queue.next()
      if (waiting === undefined) return false
      const at = performance.now()
      const isDone = work(waiting.job)
      queue.worked(performance.now() - at, isDone)
    } while (performance.now() - begun < momentMs)
    return true
  } finally {
    postAll()
  }
}

/** Does one step of a call. Returns whether it was the last one. */
function work(job: Job): boolean {
  const before = process.threadCpuUsage()
  const outcome = step(job)
  const { user, system } = process.threadCpuUsage(before)
  job.cpuMs += (user + system) / 1000
  if (outcome === undefined) return false
  const answer = { ...outcome.message, spent: split(job) }
  // Nobody is in a hurry to hear that a log was let go of: that goes with what follows, since each message wakes the event loop.
  if (job.asked.name === 'release') unsent.push(answer)
  else send(answer, outcome.bytes)
  return true
}

function step(job: Job) {
  const { nr } = job.asked
  try {
    job.steps ??= stepsOf(job.asked)
    const { done, value: answer } = job.steps.next()
    if (done !== true) return undefined
    return { message: { nr, ok: true, answer } as const, bytes: bytesIn(answer) }
  } catch (error) {
    return { message: { nr, ok: false, failure: failureOf(error) } as const, bytes: [] }
  }
}

function end(): void {
  if (ending === undefined) return
  clearTimeout(quiet)
  try {
    desk.closeAll()
    send({ nr: ending, ok: true, answer: undefined, spent: [] })
  } catch (error) {
    send({ nr: ending, ok: false, failure: failureOf(error), spent: [] })
  }
  port.close()
}

/** Calls about one space are done in the order in which they came. */
function laneOf(message: Asked): string {
  return 'spaceIds' in message ? `${message.nr}` : message.given.spaceId
}

function payersOf(message: Asked): readonly StoragePayer[] {
  if ('spaceIds' in message) return [theServer]
  if (message.name === 'commit') return message.given.pushes.map(payerOf)
  const { payer } = message.given
  return [payer === undefined ? theServer : { name: payer, userId: payer, weight: 1 }]
}

function payerOf({ userId, batch }: EncodedPush): StoragePayer {
  return { name: userId, userId, weight: operationsSaidBy(batch) + batch.byteLength / 256 }
}

function operationsSaidBy(batch: Uint8Array): number {
  try {
    return readBatchHeader(batch).count
  } catch {
    // It is refused later, and says why.
    return 1
  }
}

function split({ cpuMs, payers }: Job): Spent {
  const whole = payers.reduce((sum, { weight }) => sum + weight, 0)
  return payers.flatMap(({ userId, weight }) =>
    userId === undefined ? [] : [{ userId, ms: (cpuMs * weight) / whole }],
  )
}

function* stepsOf(message: Asked): Steps<unknown> {
  if ('spaceIds' in message)
    return message.name === 'existing' ? desk.existing(message.spaceIds) : sizesOf(opLogs, message.spaceIds)
  now = message.now
  const { spaceId } = message.given
  if (message.name === 'open') known.set(spaceId, message.known ?? { hasLog: false, identity: undefined })
  try {
    if (message.name === 'commit') return yield* desk.commit(message.given)
    return message.name === 'release' ? yield* desk.release(message.given) : call(message)
  } finally {
    if (!desk.isOpen(spaceId)) known.delete(spaceId)
  }
}

function call<Name extends StorageCall>({
  name,
  given,
}: {
  readonly name: Name
  readonly given: StorageCalls[Name]['given']
}): StorageCalls[Name]['answer'] {
  return desk.calls[name](given)
}

/** The bytes that leave this thread for good: they are handed over and not copied. */
function bytesIn(answer: unknown): ArrayBuffer[] {
  return batchesIn(answer).flatMap(({ buffer }) => (buffer instanceof ArrayBuffer ? [buffer] : []))
}

function batchesIn(answer: unknown): readonly Uint8Array[] {
  if (typeof answer !== 'object' || answer === null) return []
  if ('batch' in answer) return answer.batch instanceof Uint8Array ? [answer.batch] : []
  if ('joined' in answer) return batchesIn(answer.joined)
  if ('page' in answer) return batchesIn(answer.page)
  return 'results' in answer && Array.isArray(answer.results) ? answer.results.flatMap(batchesIn) : []
}

function send(message: FromThread, bytes: readonly ArrayBuffer[] = []): void {
  unsent.push(message)
  postAll(bytes)
}

function postAll(bytes: readonly ArrayBuffer[] = []): void {
  if (unsent.length === 0) return
  port.postMessage(unsent, [...bytes])
  unsent = []
}
