import { decide } from './decide.ts'
import { reduce } from './reduce.ts'
import type { Step, SyncEvent, SyncMachine } from './state.ts'

/** `reduce` records the facts of the event; `decide` then looks at all facts and starts whatever is due. */
export function step(before: SyncMachine, event: SyncEvent): Step {
  const reduced = reduce(before, event)
  const decided = decide(reduced.machine)
  return { machine: decided.machine, effects: [...reduced.effects, ...decided.effects] }
}
