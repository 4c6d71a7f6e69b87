import type { Presence } from '@t69/protocol'

import { createListeners, type Listeners } from '../runtime/index.ts'

/** Who else is in a space, as far as the app is told: nobody while it is not live. */
export interface SpacePresence {
  readonly shown: readonly Presence[]
  readonly listeners: Pick<Listeners<readonly Presence[]>, 'add'>
  /** As the tab that leads names them: all of them. True when somebody came. */
  named(present: readonly Presence[]): boolean
  /** Shows whoever was named, or nobody: whoever was here when the connection broke is here no longer. */
  show(isLive: boolean): void
  forget(): void
}

export function createSpacePresence(): SpacePresence {
  const listeners = createListeners<readonly Presence[]>()
  let named: readonly Presence[] = []
  let shown: readonly Presence[] = []
  return {
    get shown() {
      return shown
    },
    listeners,
    named(present) {
      const known = new Set(named.map(({ connectionId }) => connectionId))
      named = present
      return present.some(({ connectionId }) => !known.has(connectionId))
    },
    show(isLive) {
      const next = isLive ? named : []
      if (next === shown || (next.length === 0 && shown.length === 0)) return
      shown = next
      listeners.emit(next)
    },
    forget() {
      named = []
      shown = []
    },
  }
}
