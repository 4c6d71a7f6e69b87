import { presenceSchema, type JsonValue, type Presence, type SpaceId } from '@t69/protocol'

import { createListeners, parseInput, type Listeners } from '../runtime/index.ts'
import type { Tell } from '../tabs/index.ts'

/** Who else is in a space, and the presence state that this tab has set. */
export interface SpacePresence {
  /** The presence that the app sees: empty while the space is not live. */
  readonly shown: readonly Presence[]
  /** Whose connection it is, also while the space is not live; undefined for one that shows no presence. */
  userOf(connectionId: string): Presence['user'] | undefined
  readonly listeners: Pick<Listeners<readonly Presence[]>, 'add'>
  /** Sets the state that this tab shows to the others. Throws `invalid_request` for what is no JSON, or too large. */
  set(state: JsonValue): void
  /** Tells the state again, because another tab leads now. */
  repeat(): void
  /** Records everybody whom the leader named. Returns whether somebody is new. */
  named(present: readonly Presence[]): boolean
  /** Shows everybody who was named if the space is live, and nobody otherwise. */
  show(isLive: boolean): void
  /** Forgets and shows nobody. The state that this tab has set is kept. */
  forget(): void
}

export function createSpacePresence(spaceId: SpaceId, tell: Tell): SpacePresence {
  const listeners = createListeners<readonly Presence[]>()
  let ownState: JsonValue | undefined
  let named: readonly Presence[] = []
  let shown: readonly Presence[] = []

  function repeat(): void {
    if (ownState !== undefined) tell({ type: 'presence-set', spaceId, state: ownState })
  }

  function show(isLive: boolean): void {
    const next = isLive ? named : []
    if (next === shown || (next.length === 0 && shown.length === 0)) return
    shown = next
    listeners.emit(next)
  }

  return {
    userOf: (connectionId) => named.find((one) => one.connectionId === connectionId)?.user,
    get shown() {
      return shown
    },
    listeners,
    set(state) {
      ownState = parseInput(presenceSchema.shape.state, state, 'state')
      repeat()
    },
    repeat,
    named(present) {
      const known = new Set(named.map(({ connectionId }) => connectionId))
      // The leader repeats it for a tab that opens the space. Whoever is shown already stays the same object.
      if (!samePresence(named, present)) named = present
      return present.some(({ connectionId }) => !known.has(connectionId))
    },
    show,
    forget() {
      named = []
      show(false)
    },
  }
}

function samePresence(before: readonly Presence[], after: readonly Presence[]): boolean {
  const isSame = (one: Presence, at: number): boolean =>
    one === before[at] || JSON.stringify(one) === JSON.stringify(before[at])
  return before.length === after.length && after.every(isSame)
}
