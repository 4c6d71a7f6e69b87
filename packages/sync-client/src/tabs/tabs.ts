import { randomHexId } from '@t69/protocol'

import { createTurns } from './turns.ts'

/**
 * The tabs of one browser, which share one storage. One of them leads: it holds the connection and drains the outbox
 * for all. `browserTabs` is the implementation for browsers, `soloTabs` the one for a client without other tabs, such
 * as a bot, and `createTabGroup` the one for tests, with all tabs in one process.
 */
export interface Tabs {
  /** No other tab hears what is posted now. A tab that opens later joins before it reads the storage. */
  readonly alone: boolean
  /**
   * Makes this tab known to the others: none of them is `alone` from then on. Await it before reading anything that
   * other tabs may change. Never rejects. Takes 0.3 s at most: calls `onLate` when a tab, frozen or busy, answers only
   * after that, and may have stored edits meanwhile that it did not post.
   */
  join(onLate: () => void): Promise<void>
  /** Names this tab to the others. */
  readonly id: string
  /**
   * Waits in line for the lead. This tab leads from `onLead` on, until it is closed, or until `onLost`: another tab
   * took the lead (`takeLead`). This tab then waits in line again.
   */
  lead(onLead: () => void, onLost: () => void): void
  /** Takes the lead from a tab that does not answer: a browser freezes tabs together with the locks they hold. */
  takeLead(): void
  /** Sends a structured-cloneable message to all other tabs, in order. */
  post(message: unknown): void
  onMessage(listener: (message: unknown) => void): void
  /** Calls back once the tab with this id is gone, closed or killed. It must have posted or joined before. */
  watch(id: string, onGone: () => void): void
  /** Runs a task while no other tab runs one. Settles as the task does. */
  exclusive<T>(task: () => Promise<T>): Promise<T>
  close(): void
}

export function soloTabs(): Tabs {
  const turns = createTurns()
  return {
    alone: true,
    join: async () => {},
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
