import type { Presence, TransientChange, TreeId, TreeOperation } from '@t69/protocol'

import type { Space } from '../api.ts'
import type { SyncReport, TreeVerdict } from '../engine/index.ts'

/** A space that this tab has open: what the app sees, and by what the rest of the client reaches it. */
export interface OpenSpace {
  /** The space, once its tree is read. What comes meanwhile is not missed. */
  readonly space: Promise<Space>
  /** Settles once the space is let go of; null as long as nobody closes it. */
  readonly closing: Promise<void> | null
  /** Operations that are stored and come from elsewhere: the server, or another tab. */
  show(ops: readonly TreeOperation[]): void
  /** The same, as the tab that leads hands them on: soon, at this tab's pace. */
  follow(ops: readonly TreeOperation[]): void
  /** Edits that a page before this one, or a tab that is gone, could not store: this one goes on to try. */
  adopt(ops: readonly TreeOperation[]): void
  reported(report: SyncReport): void
  present(present: readonly Presence[]): void
  transients(from: string, changes: readonly TransientChange[]): void
  /** Refused edits of these trees are gone from the storage. */
  discarded(treeIds: readonly TreeId[]): Promise<void>
  /** How a tree that this tab shows compares with the server's. */
  judged(verdict: TreeVerdict): void
  /** All of the space was stored anew from the log. */
  rebuilt(): Promise<void>
  /** The storage was emptied: writes into it what this tab has, from where syncing begins anew. */
  putBack(): Promise<void>
  /** The outbox, or what was refused, has changed. */
  recount(): Promise<void>
  /** What is stored of the space itself has changed, or who is signed in. */
  reread(): Promise<void>
  /** Says again what the tab that leads has to know: another one leads now. */
  announce(): void
  /** Another tab leads from now on. The one before may not have said all that it had stored. */
  takenOver(): Promise<void>
  /** Another tab is gone, and with it what it showed without storing it. */
  left(tab: string): void
  /** The page may be gone in a moment. */
  hurry(): void
  /** The page was frozen, and has not heard the other tabs. */
  reload(): Promise<void>
  /** The space was deleted: lets go of it without storing anything. */
  abandon(): void
}
