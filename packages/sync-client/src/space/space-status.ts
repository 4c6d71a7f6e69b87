import { messageOf, type ErrorBody } from '@t69/protocol'

import type { Account } from '../account/index.ts'
import type { SpaceStatus } from '../api.ts'
import type { SyncReport } from '../engine/index.ts'
import type { PendingCounts, StoredSpace } from '../storage/index.ts'

export interface SpaceFacts {
  readonly stored: StoredSpace
  readonly account: Pick<Account, 'mayUse'>
  /** The space is locked, and not open again yet. */
  readonly isLocked: boolean
  /** The last report of the tab that leads. */
  readonly report: SyncReport
  /** The edits in the outbox, and the refused ones. */
  readonly counts: PendingCounts
  /** How many edits are not on disk yet. */
  readonly unstored: number
  /** Why they are not, if the storage failed; otherwise null. */
  readonly storageError: unknown
  /** This tab has not merged everything that is stored: it shows less than was synced. */
  readonly isBehind: boolean
}

/** Returns the status of a space as the app sees it. */
export function statusOf({
  stored,
  account,
  isLocked,
  report,
  counts,
  unstored,
  storageError,
  isBehind,
}: SpaceFacts): SpaceStatus {
  const pending = counts.pending + unstored
  const { cursor, head, pushError } = report
  const reason = storageError === null ? null : messageOf(storageError)
  const base = { pending, rejected: counts.rejected, cursor, head, unstored: reason }
  const notStored: ErrorBody | null =
    reason === null ? null : { code: 'storage_failed', message: `Edits are not on disk yet: ${reason}` }
  if (stored.userId === null) return { ...base, phase: 'local', error: notStored }
  if (isLocked || !account.mayUse(stored)) return { ...base, phase: 'signed-out', error: notStored }
  const error = notStored ?? report.error ?? (pending > 0 ? pushError : null)
  return { ...base, phase: report.phase === 'live' && isBehind ? 'catching-up' : report.phase, error }
}

/**
 * Whether two statuses say the same. The objects of their errors may differ: other tabs and the storage make new ones.
 * Asked at every change, several times an edit, so the numbers decide first.
 */
export function sameStatus(a: SpaceStatus, b: SpaceStatus): boolean {
  return (
    a.cursor === b.cursor &&
    a.head === b.head &&
    a.pending === b.pending &&
    a.rejected === b.rejected &&
    a.phase === b.phase &&
    a.unstored === b.unstored &&
    (a.error === b.error || JSON.stringify(a.error) === JSON.stringify(b.error))
  )
}
