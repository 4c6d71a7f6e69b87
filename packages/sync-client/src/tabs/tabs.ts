import { randomHexId } from '@t69/protocol'

import { oneTabAtATime } from './one-tab-at-a-time.ts'

/**
 * The tabs of one browser that share one storage. One of them leads: it holds the connection and drains
 * the outbox for all. `soloTabs` is the twin for whoever is alone, such as a bot; `createTabGroup` the
 * one for tests, all in one process; `browserTabs` the real thing.
 */
export interface Tabs {
  /** There are no other tabs, and never will be. */
  readonly alone: boolean
  /** Names this tab to the others. */
  readonly id: string
  /**
   * Waits in line for the lead. It is this tab's from `onLead` on, until the tab is closed, or until `onLost`:
   * another one took it (`takeLead`). This tab then waits in line again.
   */
  lead(onLead: () => void, onLost: () => void): void
  /** Takes the lead from the tab that has it, which does not answer: browsers freeze tabs, locks and all. */
  takeLead(): void
  /** To all other tabs, in order. What was posted is structured-cloneable. */
  post(message: unknown): void
  onMessage(listener: (message: unknown) => void): void
  /** Calls back once that other tab, which has spoken, is gone, however it went. */
  watch(id: string, onGone: () => void): void
  /** Runs one task at a time over all tabs. */
  exclusive<T>(task: () => Promise<T>): Promise<T>
  close(): void
}

export function soloTabs(): Tabs {
  const turns = createTurns()
  return {
    alone: true,
    id: randomHexId(),
    lead: (onLead) => onLead(),
    takeLead: () => {},
    post: () => {},
    onMessage: () => {},
    watch: () => {},
    exclusive: (task) => turns(task),
    close: () => {},
  }
}

interface Candidate {
  readonly tab: Tabs
  readonly onLead: () => void
  readonly onLost: () => void
}

/** Tabs in one process. Messages are cloned and arrive in a later microtask, as a browser's do. */
export function createTabGroup(): { tab(): Tabs } {
  const turns = createTurns()
  const open = new Map<Tabs, Set<(message: unknown) => void>>()
  const candidates: Candidate[] = []
  const watches = new Set<{ by: Tabs; id: string; onGone: () => void }>()

  function tellGone(): void {
    const ids = new Set(Array.from(open.keys(), ({ id }) => id))
    for (const watch of watches) {
      if (ids.has(watch.id)) continue
      watches.delete(watch)
      queueMicrotask(() => void (open.has(watch.by) && watch.onGone()))
    }
  }

  function elect(): void {
    const [first] = candidates
    if (first !== undefined) queueMicrotask(() => void (candidates[0] === first && first.onLead()))
  }

  return {
    tab() {
      const listeners = new Set<(message: unknown) => void>()
      const tab: Tabs = {
        alone: false,
        id: randomHexId(),
        lead(onLead, onLost) {
          if (!open.has(tab)) return
          candidates.push({ tab, onLead, onLost })
          if (candidates.length === 1) elect()
        },
        takeLead() {
          const [leader] = candidates
          const index = candidates.findIndex((candidate) => candidate.tab === tab)
          if (leader === undefined || index <= 0) return
          candidates.unshift(...candidates.splice(index, 1))
          candidates.push(...candidates.splice(1, 1))
          queueMicrotask(() => void (open.has(leader.tab) && leader.onLost()))
          elect()
        },
        post(message) {
          if (!open.has(tab)) return
          for (const [other, others] of open) {
            if (other === tab) continue
            const copy: unknown = structuredClone(message)
            queueMicrotask(() => {
              if (open.has(other)) for (const listener of others) listener(copy)
            })
          }
        },
        onMessage: (listener) => void listeners.add(listener),
        watch(id, onGone) {
          watches.add({ by: tab, id, onGone })
          tellGone()
        },
        exclusive: (task) => turns(task),
        close() {
          open.delete(tab)
          tellGone()
          const index = candidates.findIndex((candidate) => candidate.tab === tab)
          if (index < 0) return
          candidates.splice(index, 1)
          if (index === 0) elect()
        },
      }
      open.set(tab, listeners)
      return tab
    },
  }
}

/**
 * Tabs of one origin, over Web Locks and a BroadcastChannel. Each tab holds a lock of its own for as long as
 * it lives, and the one that leads another; the browser gives a lock to whoever waits for it when the tab
 * that holds it goes, however it goes. A tab that is frozen is not gone, so its lock can be taken from it.
 */
export function browserTabs(name: string): Tabs {
  const channel = new BroadcastChannel(name)
  const leaving = new AbortController()
  const { signal } = leaving
  const id = randomHexId()
  const lockOf = (tab: string): string => `${name}-tab-${tab}`
  /** Said before this tab holds its own lock: whoever hears of it by then would find it gone. */
  let unsaid: unknown[] | null = []

  let candidate: Omit<Candidate, 'tab'> | null = null
  let leads = false
  /** Ends the wait for the lead. */
  let waiting = new AbortController()

  const request = (lock: string, granted: () => Promise<void>): void => {
    // Fails when this tab is closed while it is still in the queue.
    navigator.locks.request(lock, { signal }, granted).catch(() => {})
  }
  const untilClosed = (): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve())
    })

  async function tryToLead(how: { signal: AbortSignal } | { steal: true }): Promise<void> {
    let isLost = false
    const held = navigator.locks.request(`${name}-lead`, how, async () => {
      // A tab that was frozen may hear late that it leads, and of its loss right after: both are here by then.
      await navigator.locks.query()
      if (signal.aborted || isLost) return
      leads = true
      candidate?.onLead()
      await untilClosed()
    })
    try {
      await held
    } catch {
      isLost = true
      // Given up while it waited; else it was taken from it, and it waits again.
      if (signal.aborted || ('signal' in how && how.signal.aborted && !leads)) return
      if (leads) candidate?.onLost()
      leads = false
      waitInLine()
    }
  }
  function waitInLine(): void {
    waiting = new AbortController()
    void tryToLead({ signal: AbortSignal.any([signal, waiting.signal]) })
  }

  request(lockOf(id), () => {
    if (!signal.aborted) for (const message of unsaid ?? []) channel.postMessage(message)
    unsaid = null
    return untilClosed()
  })

  return {
    alone: false,
    id,
    lead(onLead, onLost) {
      candidate = { onLead, onLost }
      waitInLine()
    },
    takeLead() {
      if (candidate === null || leads || signal.aborted) return
      waiting.abort()
      void tryToLead({ steal: true })
    },
    post(message) {
      if (signal.aborted) return
      if (unsaid === null) channel.postMessage(message)
      else unsaid.push(structuredClone(message))
    },
    onMessage: (listener) => channel.addEventListener('message', (event) => listener(event.data)),
    watch(tab, onGone) {
      request(lockOf(tab), async () => void (signal.aborted || onGone()))
    },
    exclusive: (task) => oneTabAtATime(`${name}-exclusive`, task),
    close() {
      leaving.abort()
      channel.close()
    },
  }
}

export function hasBrowserTabs(): boolean {
  return typeof document !== 'undefined' && typeof BroadcastChannel !== 'undefined' && 'locks' in navigator
}

function createTurns(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const turn = last.then(task)
    last = turn.catch(() => {})
    return turn
  }
}
