import { AsyncLocalStorage } from 'node:async_hooks'

import type { SessionReply, SpaceId } from '@t69/protocol'
import {
  createSocketIoTransport,
  createSyncClient,
  memoryStorage,
  type Runtime,
  type Space,
  type Transport,
} from '@t69/sync-client'

/**
 * A process with many of the project's clients, each already signed in as another person. Handles requests over IPC, one
 * at a time. Times are Unix milliseconds.
 */

export type Ask =
  | { readonly do: 'open'; readonly url: string; readonly people: readonly Person[] }
  /** Every client adds a vertex named with this name and its own. */
  | { readonly do: 'edit'; readonly name: string }
  | Settle
  /** Reports what happened since the last report. */
  | { readonly do: 'report' }

/** Waits until every client is live, has sent its edits, and shows so many vertices and other people. */
export interface Settle {
  readonly do: 'settle'
  readonly vertices: number
  readonly others: number
  readonly deadlineMs: number
}

/** A person who signed in earlier, and the space that they share with others. */
export interface Person {
  readonly session: SessionReply
  readonly spaceId: SpaceId
}

export interface Report {
  /** The planned delay of each client from the lost connection to its first attempt, in milliseconds. */
  readonly firstWaits: readonly number[]
  /** The times at which clients began to connect, and at which they were admitted. */
  readonly attempts: readonly number[]
  readonly opened: readonly number[]
  /** The number of refreshes by status. Status 0 is no answer. */
  readonly refreshes: Readonly<Record<string, number>>
  /** The number of clients that have to sign in again. */
  readonly signedOut: number
  /** The digests of all replicas, by space. */
  readonly digests: Readonly<Record<string, readonly string[]>>
  /** The number of clients that see somebody more than once. */
  readonly seeDouble: number
}

export type Answer = { readonly answered: Report | null } | { readonly failed: string }

const answers = {
  firstWaits: [] as number[],
  attempts: [] as number[],
  opened: [] as number[],
  refreshes: {} as Record<string, number>,
}

/** The delay of the timer whose callback runs now. On a busy machine, timers fire late and together. */
const meantMs = new AsyncLocalStorage<number>()

const runtime: Runtime = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(() => meantMs.run(delayMs, callback), delayMs)
    return () => clearTimeout(timer)
  },
}

/** The real transport of a client, which records when it connects. */
function noting(url: string): Transport {
  const inner = createSocketIoTransport(url)
  let hasLost = false
  return {
    connect(handshake, listener) {
      answers.attempts.push(Date.now())
      if (hasLost) answers.firstWaits.push(meantMs.getStore() ?? 0)
      hasLost = false
      let isOpen = false
      return inner.connect(handshake, {
        ...listener,
        opened() {
          answers.opened.push(Date.now())
          isOpen = true
          listener.opened()
        },
        closed(error) {
          hasLost ||= isOpen
          listener.closed(error)
        },
      })
    },
  }
}

const clients: { client: ReturnType<typeof createSyncClient>; space: Space; userId: string }[] = []

async function open({ url, people }: Extract<Ask, { do: 'open' }>): Promise<void> {
  // The clients come one after the other here. Only their return is at once, and is reported.
  const atOnce = 25
  for (let from = 0; from < people.length; from += atOnce) {
    await Promise.all(people.slice(from, from + atOnce).map((person) => openOne(url, person)))
  }
}

async function openOne(url: string, { session, spaceId }: Person): Promise<void> {
  const fetchIt: typeof fetch = async (input, init) => {
    const path = new URL(input instanceof Request ? input.url : input).pathname
    // The sign-in was long ago, and costs the server nothing now.
    if (path === '/api/auth/login') return Response.json(session)
    const noted = (status: number): void => {
      if (path === '/api/auth/refresh') answers.refreshes[status] = (answers.refreshes[status] ?? 0) + 1
    }
    try {
      const response = await fetch(input, init)
      noted(response.status)
      return response
    } catch (error) {
      noted(0)
      throw error
    }
  }
  const client = createSyncClient({
    url,
    storage: memoryStorage(),
    fetch: fetchIt,
    transport: noting(url),
    runtime,
  })
  await client.signIn({ email: session.user.email, password: 'known to nobody' })
  const space = await client.openSpace(spaceId)
  space.setPresence({ at: spaceId })
  clients.push({ client, space, userId: session.user.id })
}

function isSettled({ space }: (typeof clients)[number], ask: Settle): boolean {
  const { phase, pending, error } = space.status
  const vertices = space.root.root?.children.length ?? 0
  return (
    phase === 'live' &&
    pending === 0 &&
    error === null &&
    vertices === ask.vertices &&
    space.presence.length === ask.others
  )
}

async function settle(ask: Settle): Promise<void> {
  const due = Date.now() + ask.deadlineMs
  for (const member of clients) {
    const { space } = member
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (!isSettled(member, ask)) return
        clearTimeout(timer)
        for (const stop of stops) stop()
        resolve()
      }
      const stops = [space.onStatus(check), space.onPresence(check), space.root.observeOpApplied(check)]
      const timer = setTimeout(() => {
        const is = { vertices: space.root.root?.children.length, others: space.presence.length }
        reject(new Error(`not settled: ${JSON.stringify({ ...is, status: space.status })}`))
      }, due - Date.now())
      check()
    })
  }
}

function report(): Report {
  const digests: Record<string, string[]> = {}
  let seeDouble = 0
  for (const { space, userId } of clients) {
    digests[space.id] ??= []
    digests[space.id]?.push(space.root.digest())
    const seen = new Set([userId, ...space.presence.map(({ user }) => user.id)])
    if (seen.size !== space.presence.length + 1) seeDouble++
  }
  const signedOut = clients.filter(({ client }) => client.user === null).length
  const { firstWaits, attempts, opened, refreshes } = answers
  Object.assign(answers, { firstWaits: [], attempts: [], opened: [], refreshes: {} })
  return { firstWaits, attempts, opened, refreshes, signedOut, digests, seeDouble }
}

async function answer(ask: Ask): Promise<Report | null> {
  switch (ask.do) {
    case 'open':
      await open(ask)
      return null
    case 'edit':
      for (const { space, userId } of clients) space.root.root?.newNamedChild(`${ask.name} ${userId}`)
      return null
    case 'settle':
      await settle(ask)
      return null
    case 'report':
      return report()
  }
}

function send(answer: Answer): void {
  process.send?.(answer)
}

process.on('message', (message) => {
  // Messages come only from the test that started this process.
  void answer(message as Ask).then(
    (answered) => send({ answered }),
    (error: unknown) => send({ failed: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
