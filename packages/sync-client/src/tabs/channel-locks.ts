import { z } from 'zod'

import type { TabLocks } from './tab-locks.ts'

/**
 * Locks for pages without Web Locks: browsers leave those out over plain HTTP. The tabs agree by messages, as Ricart and
 * Agrawala described (CACM 24:1, 1981): who wants a lock asks all others, and has it once none of them holds it or
 * asked earlier. Messages reach background tabs at once, whose timers hardly run.
 *
 * Who the others are is in localStorage, so that a tab that is alone waits for nobody. A tab that is asked three times
 * and says nothing is gone: it crashed, or is frozen. A frozen one learns that when it wakes, and gives up what it held.
 * Two tabs may then have held one lock for a moment, which the storage bears (`LeaderTerm`).
 */
export interface ChannelLocks extends TabLocks {
  /** Gives up every lock, as a page that goes. */
  close(): void
}

export interface ChannelLocksDeps {
  /** Names this tab. */
  readonly id: string
  /** Where the tabs of the origin are listed: `localStorage`. */
  readonly registry: Pick<Storage, 'getItem' | 'key' | 'length' | 'removeItem' | 'setItem'>
  /** How often a tab that waits asks again, in ms. */
  readonly askAgainMs?: number
}

/** Questions without an answer after which a tab is gone. Between them it had time to read and to answer. */
const maxMisses = 2

const messageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ask'), from: z.string(), lock: z.string(), ticket: z.number() }),
  z.object({
    type: z.literal('answer'),
    from: z.string(),
    to: z.string(),
    lock: z.string(),
    ticket: z.number(),
    busy: z.boolean(),
  }),
  z.object({ type: z.literal('free'), from: z.string(), lock: z.string() }),
  z.object({ type: z.literal('taken'), from: z.string(), lock: z.string(), ticket: z.number() }),
  z.object({ type: z.literal('query'), from: z.string() }),
  z.object({ type: z.literal('held'), from: z.string(), to: z.string(), locks: z.array(z.string()) }),
  z.object({ type: z.literal('gone'), from: z.string(), tab: z.string() }),
])
type Message = z.infer<typeof messageSchema>

interface LockRequest {
  /** Earlier tickets go first; of equal ones, the tab with the lesser id. */
  readonly ticket: number
  isHeld: boolean
  /** The tabs whose answer is to come. */
  readonly awaited: Set<string>
  /** The tabs that hold the lock, or go first. */
  readonly blockers: Set<string>
  readonly grant: () => void
  readonly lose: () => void
}

export function createChannelLocks(
  name: string,
  { id, registry, askAgainMs = 2_000 }: ChannelLocksDeps,
): ChannelLocks {
  const channel = new BroadcastChannel(name)
  const prefix = `${name}:`
  /** The requests of this tab for each lock. Only the first asks, or holds. */
  const queues = new Map<string, LockRequest[]>()
  const misses = new Map<string, number>()
  const queries = new Set<(from: string, locks: readonly string[]) => void>()
  let latest = 0
  let timer: ReturnType<typeof setInterval> | undefined
  let isClosed = false

  const register = (): void => {
    try {
      registry.setItem(prefix + id, '')
    } catch {
      // A full storage. The others hear of this tab when it asks, and meet it then.
    }
  }

  const met = new Set<string>()

  function others(): Set<string> {
    const tabs = new Set(met)
    for (let index = 0; index < registry.length; index++) {
      const key = registry.key(index)
      if (key?.startsWith(prefix) === true) tabs.add(key.slice(prefix.length))
    }
    tabs.delete(id)
    return tabs
  }

  function post(message: Message): void {
    if (!isClosed) channel.postMessage(message)
  }

  function nextTicket(): number {
    latest = Math.max(latest + 0.001, performance.timeOrigin + performance.now())
    return latest
  }

  const first = (lock: string): LockRequest | undefined => queues.get(lock)?.[0]

  function ask(lock: string, request: LockRequest): void {
    if (request.isHeld) return
    for (const tab of others()) request.awaited.add(tab)
    if (request.awaited.size > 0) post({ type: 'ask', from: id, lock, ticket: request.ticket })
    timer ??= setInterval(askAgain, askAgainMs)
    check(request)
  }

  function askAgain(): void {
    const silent = new Set<string>()
    let isWaiting = false
    for (const [lock, [request]] of queues) {
      if (request === undefined || request.isHeld) continue
      isWaiting = true
      for (const tab of request.awaited) silent.add(tab)
      for (const tab of request.blockers) request.awaited.add(tab)
      post({ type: 'ask', from: id, lock, ticket: request.ticket })
    }
    for (const tab of silent) {
      const missed = (misses.get(tab) ?? 0) + 1
      misses.set(tab, missed)
      if (missed <= maxMisses) continue
      post({ type: 'gone', from: id, tab })
      forget(tab)
    }
    if (isWaiting) return
    clearInterval(timer)
    timer = undefined
  }

  function check(request: LockRequest): void {
    if (request.isHeld || request.awaited.size > 0 || request.blockers.size > 0) return
    request.isHeld = true
    request.grant()
  }

  /** Ends a request that is over, and lets the others know. */
  function remove(lock: string, request: LockRequest): void {
    const queue = queues.get(lock) ?? []
    const index = queue.indexOf(request)
    if (index === -1) return
    queue.splice(index, 1)
    if (queue.length === 0) queues.delete(lock)
    if (index > 0) return
    post({ type: 'free', from: id, lock })
    const next = first(lock)
    if (next !== undefined) ask(lock, next)
  }

  function forget(tab: string): void {
    registry.removeItem(prefix + tab)
    met.delete(tab)
    misses.delete(tab)
    for (const answered of queries) answered(tab, [])
    for (const [request] of queues.values()) {
      if (request === undefined) continue
      request.awaited.delete(tab)
      request.blockers.delete(tab)
      check(request)
    }
  }

  function hear(message: Message): void {
    misses.delete(message.from)
    if (message.type !== 'gone') met.add(message.from)
    if ('to' in message && message.to !== id) return
    switch (message.type) {
      case 'ask':
        return answer(message)
      case 'answer': {
        const request = first(message.lock)
        if (request?.ticket !== message.ticket) return
        request.awaited.delete(message.from)
        if (message.busy) request.blockers.add(message.from)
        else request.blockers.delete(message.from)
        return check(request)
      }
      case 'free': {
        const request = first(message.lock)
        request?.blockers.delete(message.from)
        return request && check(request)
      }
      case 'taken':
        return taken(message)
      case 'query': {
        const locks = [...queues].flatMap(([lock, [request]]) => (request?.isHeld === true ? [lock] : []))
        return post({ type: 'held', from: id, to: message.from, locks })
      }
      case 'held':
        for (const answered of queries) answered(message.from, message.locks)
        return
      case 'gone':
        if (message.tab !== id) return forget(message.tab)
        // This tab was frozen, and the others go on without it.
        register()
        for (const [request] of queues.values()) if (request?.isHeld === true) request.lose()
        return
      default:
        return message satisfies never
    }
  }

  function answer({ from, lock, ticket }: Extract<Message, { type: 'ask' }>): void {
    latest = Math.max(latest, ticket)
    register()
    const mine = first(lock)
    const isMineFirst = mine !== undefined && (mine.ticket < ticket || (mine.ticket === ticket && id < from))
    const busy = mine !== undefined && (mine.isHeld || isMineFirst)
    if (mine !== undefined && !busy) mine.blockers.add(from)
    post({ type: 'answer', from: id, to: from, lock, ticket, busy })
  }

  /** Of tabs that take a lock at the same time, the last ticket has it. */
  function taken({ from, lock, ticket }: Extract<Message, { type: 'taken' }>): void {
    const mine = first(lock)
    if (mine?.isHeld === true) {
      if (mine.ticket > ticket) return post({ type: 'taken', from: id, lock, ticket: mine.ticket })
      mine.lose()
    }
    first(lock)?.blockers.add(from)
  }

  register()
  channel.addEventListener('message', (event) => {
    const message = messageSchema.safeParse(event.data).data
    if (message !== undefined && !isClosed) hear(message)
  })

  return {
    request: (lock, how, granted) =>
      new Promise((resolve, reject) => {
        const { signal } = { signal: undefined, ...how }
        if (signal?.aborted === true || isClosed) return reject(abortError('The request was given up'))
        const request: LockRequest = {
          ticket: nextTicket(),
          isHeld: 'steal' in how,
          awaited: new Set(),
          blockers: new Set(),
          grant() {
            signal?.removeEventListener('abort', giveUp)
            const holding = Promise.resolve().then(granted)
            holding.then(resolve, reject)
            holding.then(over, over)
          },
          lose() {
            reject(abortError('Another tab has the lock'))
            over()
          },
        }
        const over = (): void => remove(lock, request)
        const giveUp = (): void => {
          reject(abortError('The request was given up'))
          over()
        }
        signal?.addEventListener('abort', giveUp, { once: true })
        const queue = queues.get(lock) ?? []
        queues.set(lock, queue)
        if (request.isHeld) {
          const [before] = queue
          queue.unshift(request)
          post({ type: 'taken', from: id, lock, ticket: request.ticket })
          if (before?.isHeld === true) before.lose()
          request.grant()
        } else {
          queue.push(request)
          if (queue[0] === request) ask(lock, request)
        }
      }),
    async query() {
      const held = [...queues].flatMap(([lock, [request]]) => (request?.isHeld === true ? [lock] : []))
      const awaited = others()
      if (awaited.size > 0) {
        const { promise, resolve } = Promise.withResolvers<void>()
        const answered = (from: string, locks: readonly string[]): void => {
          if (awaited.delete(from)) held.push(...locks)
          if (awaited.size === 0) resolve()
        }
        queries.add(answered)
        const deadline = setTimeout(resolve, askAgainMs)
        post({ type: 'query', from: id })
        await promise
        clearTimeout(deadline)
        queries.delete(answered)
      }
      return { held: held.map((lock) => ({ name: lock })) }
    },
    close() {
      post({ type: 'gone', from: id, tab: id })
      isClosed = true
      clearInterval(timer)
      registry.removeItem(prefix + id)
      channel.close()
    },
  }
}

const abortError = (why: string): DOMException => new DOMException(why, 'AbortError')
