import { randomHexId } from '@t69/protocol'

import { hasChannels, systemRuntime } from '../runtime/index.ts'
import { createLockRetries } from './lock-retries.ts'
import { oneTabAtATime } from './one-tab-at-a-time.ts'
import { createOtherTabs } from './other-tabs.ts'
import { tabLocks } from './tab-locks.ts'
import type { Tabs } from './tabs.ts'

/**
 * Tabs of one origin, over Web Locks (or our own, see `tabLocks`) and a BroadcastChannel. Each tab holds a lock of its
 * own while it lives, and the tab that leads holds another. When a tab closes or dies, its locks go to the next that
 * waits for them. A frozen tab keeps its locks, so the lead can be taken from it.
 */
export function browserTabs(name: string, given = tabLocks(), runtime = systemRuntime): Tabs {
  if (given === undefined) throw new Error('This page has no locks to share with other tabs')
  const locks = given
  const channel = new BroadcastChannel(name)
  const leaving = new AbortController()
  const { signal } = leaving
  const id = randomHexId()
  const lockPrefix = `${name}-tab-`
  const lockOf = (tab: string): string => lockPrefix + tab
  /** This tab holds its own lock, or was refused it. */
  const entered = Promise.withResolvers<boolean>()
  /** Posted before this tab holds its own lock; without the lock, the other tabs would take this one to be gone. */
  let unsent: unknown[] | null = []

  let candidate: { readonly onLead: () => void; readonly onLost: () => void } | null = null
  let leads = false
  /** Ends the wait for the lead. */
  let waiting = new AbortController()
  const leadRetries = createLockRetries(runtime, signal)
  const ownRetries = createLockRetries(runtime, signal)

  const request = (
    lock: string,
    granted: () => Promise<void>,
    refused: (reason: unknown) => void = () => {},
  ): void => {
    // Rejects when this tab closes while it is still in the queue, and where the browser refuses locks.
    locks.request(lock, { signal }, granted).catch(refused)
  }
  const untilClosed = (): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve())
    })

  async function tryToLead(how: { signal: AbortSignal } | { steal: true }): Promise<void> {
    let isLost = false
    try {
      await locks.request(`${name}-lead`, how, async () => {
        leadRetries.granted()
        // A tab that was frozen may be told late that it leads, and right after that it lost the lead. Wait for both.
        await locks.query()
        if (signal.aborted || isLost) return
        leads = true
        candidate?.onLead()
        await untilClosed()
      })
    } catch (reason) {
      isLost = true
      // It gave up waiting; otherwise the lead was taken from it, or the browser refuses it.
      if (signal.aborted || ('signal' in how && how.signal.aborted && !leads)) return
      if (leads) candidate?.onLost()
      leads = false
      leadRetries.refused(reason, waitInLine)
    }
  }
  function waitInLine(): void {
    waiting = new AbortController()
    void tryToLead({ signal: AbortSignal.any([signal, waiting.signal]) })
  }

  /** Holds this tab's own lock. Where other tabs could give this one up, because it was frozen, it takes it again. */
  function enter(): void {
    request(
      lockOf(id),
      () => {
        ownRetries.granted()
        if (!signal.aborted) for (const message of unsent ?? []) channel.postMessage(message)
        unsent = null
        entered.resolve(true)
        return untilClosed()
      },
      (reason) => {
        entered.resolve(false)
        ownRetries.refused(reason, enter)
      },
    )
  }
  enter()

  function watch(tab: string, onGone: () => void): void {
    request(lockOf(tab), async () => void (signal.aborted || onGone()))
  }

  /** The ids of the tabs that live now, from the locks that they hold. */
  async function living(): Promise<string[]> {
    const { held = [] } = await locks.query()
    return held.flatMap(({ name: lock }) =>
      lock?.startsWith(lockPrefix) === true ? [lock.slice(lockPrefix.length)] : [],
    )
  }

  const others = createOtherTabs({ name, id, signal, entered: entered.promise, living, watch })

  channel.addEventListener('message', () => others.heard())

  return {
    get alone() {
      return others.alone
    },
    join: (onLate) => others.join(onLate),
    id,
    lead(onLead, onLost) {
      candidate = { onLead, onLost }
      waitInLine()
    },
    takeLead() {
      if (candidate === null || leads || signal.aborted) return
      waiting.abort()
      leadRetries.cancel()
      void tryToLead({ steal: true })
    },
    post(message) {
      if (signal.aborted) return
      if (unsent === null) channel.postMessage(message)
      else unsent.push(structuredClone(message))
    },
    onMessage: (listener) => channel.addEventListener('message', (event) => listener(event.data)),
    watch,
    exclusive: (task) => oneTabAtATime(`${name}-exclusive`, task, locks),
    close() {
      leaving.abort()
      channel.close()
    },
  }
}

export function hasBrowserTabs(): boolean {
  return typeof document !== 'undefined' && hasChannels() && tabLocks() !== undefined
}
