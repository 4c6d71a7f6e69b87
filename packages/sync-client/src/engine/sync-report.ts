import type { ErrorBody, RoleName } from '@t69/protocol'

import type { SyncPhase } from '../api.ts'
import type { LinkReport } from '../link/index.ts'
import type { SyncMachine } from '../machine/index.ts'

/** What the tab that holds the connection tells the others of a space. */
export interface SyncReport {
  readonly phase: SyncPhase
  readonly role: RoleName | null
  readonly cursor: number
  readonly head: number
  readonly error: ErrorBody | null
  /** Why edits are not taken, though all else goes on. Of interest while there are any. */
  readonly pushError: ErrorBody | null
}

export function reportOf(machine: SyncMachine, link: LinkReport): SyncReport {
  return {
    phase: phaseOf(machine, link),
    role: machine.role,
    cursor: machine.saved.cursor,
    head: Math.max(machine.head, machine.saved.cursor),
    error: machine.blocked ?? machine.pause ?? link.error,
    pushError: machine.pushPause?.error ?? null,
  }
}

/** To say the same twice wakes every tab for nothing. */
export function sameReport(a: SyncReport | undefined, b: SyncReport): boolean {
  return (
    a !== undefined &&
    a.phase === b.phase &&
    a.role === b.role &&
    a.cursor === b.cursor &&
    a.head === b.head &&
    a.error === b.error &&
    a.pushError === b.pushError
  )
}

function phaseOf(machine: SyncMachine, link: LinkReport): SyncPhase {
  if (link.phase !== 'open') return link.phase
  if (machine.blocked !== null) return 'blocked'
  // A disk that takes nothing is as good as no connection: nobody is to read that all is well.
  if (machine.link !== 'joined' || machine.pause?.code === 'storage_failed') return 'connecting'
  return machine.caughtUp ? 'live' : 'catching-up'
}
