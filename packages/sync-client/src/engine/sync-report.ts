import type { ErrorBody, RoleName, SpaceIdentity } from '@t69/protocol'

import type { SyncPhase } from '../api.ts'
import type { LinkReport } from '../link/index.ts'
import type { SyncMachine } from '../machine/index.ts'

/** The sync state of a space, as the tab that leads reports it to all tabs. */
export interface SyncReport {
  readonly phase: SyncPhase
  readonly role: RoleName | null
  /** Which space this is, as far as it is known. */
  readonly identity: SpaceIdentity | null
  readonly cursor: number
  readonly head: number
  readonly error: ErrorBody | null
  /** Why edits are not pushed although everything else works, or null. Matters only while edits are pending. */
  readonly pushError: ErrorBody | null
}

export function reportOf(machine: SyncMachine, link: LinkReport): SyncReport {
  return {
    phase: phaseOf(machine, link),
    role: machine.role,
    identity: machine.saved.identity,
    cursor: machine.saved.cursor,
    head: Math.max(machine.head, machine.saved.cursor),
    error: machine.blocked ?? machine.pause ?? link.error,
    pushError: machine.pushPause?.error ?? null,
  }
}

/** Whether two reports say the same. Repeating a report would wake every tab for nothing. */
export function sameReport(a: SyncReport | undefined, b: SyncReport): boolean {
  return (
    a !== undefined &&
    a.phase === b.phase &&
    a.role === b.role &&
    a.identity === b.identity &&
    a.cursor === b.cursor &&
    a.head === b.head &&
    a.error === b.error &&
    a.pushError === b.pushError
  )
}

function phaseOf(machine: SyncMachine, link: LinkReport): SyncPhase {
  if (link.phase !== 'open') return link.phase
  if (machine.blocked !== null) return 'blocked'
  // With a disk that takes nothing the space is not up to date, and must not be shown as live.
  if (machine.link !== 'joined' || machine.pause?.code === 'storage_failed') return 'connecting'
  return machine.caughtUp ? 'live' : 'catching-up'
}
