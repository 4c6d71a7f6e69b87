/**
 * The tabs of one browser that share one storage. One of them leads: it holds the connection and drains
 * the outbox for all. `soloTabs` is the twin for whoever is alone, such as a bot; `createTabGroup` the
 * one for tests, all in one process; `browserTabs` the real thing.
 */
export interface Tabs {
  /** There are no other tabs, and never will be. */
  readonly alone: boolean
  /** Calls back once, as soon as this tab leads; it leads until it is closed. */
  lead(onLead: () => void): void
  /** To all other tabs, in order. What was posted is structured-cloneable. */
  post(message: unknown): void
  onMessage(listener: (message: unknown) => void): void
  /** Runs one task at a time over all tabs. */
  exclusive<T>(task: () => Promise<T>): Promise<T>
  close(): void
}

export function soloTabs(): Tabs {
  const turns = createTurns()
  return {
    alone: true,
    lead: (onLead) => onLead(),
    post: () => {},
    onMessage: () => {},
    exclusive: (task) => turns(task),
    close: () => {},
  }
}

/** Tabs in one process. Messages are cloned and arrive in a later microtask, as a browser's do. */
export function createTabGroup(): { tab(): Tabs } {
  const turns = createTurns()
  const open = new Map<Tabs, Set<(message: unknown) => void>>()
  const candidates: { tab: Tabs; onLead: () => void }[] = []

  function elect(): void {
    const [first] = candidates
    if (first !== undefined) queueMicrotask(() => void (candidates[0] === first && first.onLead()))
  }

  return {
    tab() {
      const listeners = new Set<(message: unknown) => void>()
      const tab: Tabs = {
        alone: false,
        lead(onLead) {
          candidates.push({ tab, onLead })
          if (candidates.length === 1) elect()
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
        exclusive: (task) => turns(task),
        close() {
          open.delete(tab)
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
 * Tabs of one origin, over a Web Lock and a BroadcastChannel. The browser gives the lock to the next tab
 * when the one that holds it goes, however it goes.
 */
export function browserTabs(name: string): Tabs {
  const channel = new BroadcastChannel(name)
  const leaving = new AbortController()
  return {
    alone: false,
    lead(onLead) {
      const held = navigator.locks.request(`${name}-lead`, { signal: leaving.signal }, async () => {
        onLead()
        await new Promise<void>((resolve) => leaving.signal.addEventListener('abort', () => resolve()))
      })
      // Closed while still in the queue.
      held.catch(() => {})
    },
    post: (message) => channel.postMessage(message),
    onMessage: (listener) => channel.addEventListener('message', (event) => listener(event.data)),
    exclusive: (task) => navigator.locks.request(`${name}-exclusive`, task),
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
