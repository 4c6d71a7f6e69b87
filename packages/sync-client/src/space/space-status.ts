import { messageOf, type ErrorBody } from '@t69/protocol'

import type { Account } from '../account/index.ts'
import type { SpaceStatus } from '../api.ts'
import type { SyncReport } from '../engine/index.ts'
import type { PendingCounts, StoredSpace } from '../storage/index.ts'

export interface SpaceFacts {
  readonly stored: StoredSpace
  readonly account: Pick<Account, 'user' | 'isGone'>
  /** The last report of the tab that leads. */
  readonly report: SyncReport
  /** The edits in the outbox, and the refused ones. */
  readonly counts: PendingCounts
  /** How many edits are not on disk yet. */
  readonly unstored: number
  /** Why they are not, if the storage failed; otherwise null. */
  readonly storageError: unknown
}

/** Returns the status of a space as the app sees it. */
export function statusOf({
  stored,
  account,
  report,
  counts,
  unstored,
  storageError,
}: SpaceFacts): SpaceStatus {
  const pending = counts.pending + unstored
  const { cursor, head, pushError } = report
  const reason = storageError === null ? null : messageOf(storageError)
  const base = { pending, rejected: counts.rejected, cursor, head, unstored: reason }
  const notStored: ErrorBody | null =
    reason === null ? null : { code: 'storage_failed', message: `Edits are not on disk yet: ${reason}` }
  if (stored.userId === null) return { ...base, phase: 'local', error: notStored }
  if (account.isGone(stored.userId)) return { ...base, phase: 'blocked', error: notStored ?? accountGone }
  if (stored.userId !== account.user?.id) return { ...base, phase: 'signed-out', error: notStored }
  const error = notStored ?? report.error ?? (pending > 0 ? pushError : null)
  return { ...base, phase: report.phase, error }
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

const accountGone: ErrorBody = {
  code: 'unauthenticated',
  message: 'the account was deleted; its spaces stay on this device',
}
