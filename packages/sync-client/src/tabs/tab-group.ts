import { randomHexId } from '@t69/protocol'

import type { Tabs } from './tabs.ts'
import { createTurns } from './turns.ts'

interface Candidate {
  readonly tab: Tabs
  readonly onLead: () => void
  readonly onLost: () => void
}

/** Creates tabs in one process, for tests. Messages are cloned and arrive in a later microtask, as in a browser. */
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
        get alone() {
          return open.size === 1
        },
        join: async () => {},
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
