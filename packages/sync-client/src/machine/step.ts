import { decide } from './decide.ts'
import { note } from './reduce.ts'
import type { Step, SyncEvent, SyncMachine } from './state.ts'

/** An event only notes facts; `decide` then looks at all of them and starts what is due. */
export function step(before: SyncMachine, event: SyncEvent): Step {
  const noted = note(before, event)
  const decided = decide(noted.machine)
  return { machine: decided.machine, effects: [...noted.effects, ...decided.effects] }
}
