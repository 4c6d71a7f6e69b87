import { randomHexId } from '@t69/protocol'

import { createTurns } from './turns.ts'

/**
 * The tabs of one browser that share one storage. One of them leads: it holds the connection and drains
 * the outbox for all. `soloTabs` is the twin for whoever is alone, such as a bot; `createTabGroup` the
 * one for tests, all in one process; `browserTabs` the real thing.
 */
export interface Tabs {
  /** No other tab hears what is posted now. Any tab that comes later has joined before it reads the storage. */
  readonly alone: boolean
  /**
   * Makes this tab known to the others, so that none of them takes itself to be alone from then on. To be awaited
   * before anything is read that other tabs may change. Never rejects, and takes some tenths of a second at most.
   */
  join(): Promise<void>
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
