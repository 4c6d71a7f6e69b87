import { decide } from './sync-decide.ts'
import type { Step, SyncEvent, SyncMachine } from './sync-machine.ts'
import { note } from './sync-note.ts'

/** An event only notes facts; `decide` then looks at all of them and starts what is due. */
export function step(before: SyncMachine, event: SyncEvent): Step {
  const noted = note(before, event)
  const decided = decide(noted.machine)
  return { machine: decided.machine, effects: [...noted.effects, ...decided.effects] }
}
