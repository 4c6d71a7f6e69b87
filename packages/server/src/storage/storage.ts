import type { Epoch, ErrorBody, LogId, Commit, RejectedOp, SpaceId, TreeId, UserId } from '@t69/protocol'

import type { KeptAccess } from '../logs/op-log.ts'
import type { Allotment } from './allotment.ts'
import type { TreeReader } from './tree-reader.ts'

/** A log's id, newest epoch and head, at one moment. */
export interface LogState {
  readonly logId: LogId
  readonly epoch: Epoch
  readonly head: number
}

interface OfSpace {
  readonly spaceId: SpaceId
  /** For whom it is done. Default: the server itself. Pushes are for those who push. */
  readonly payer?: UserId | undefined
}

export interface OpenedLog {
  readonly state: LogState
  /** Whose log it is, and who was in the space when that was kept in it. */
  readonly access: KeptAccess | undefined
  /**
   * How the log compares with `left`. `ahead`: it holds more, a commit that was said to have failed. `replaced`: it is
   * another log, or lacks what `left` covers, and its id is new.
   */
  readonly standing: 'same' | 'ahead' | 'replaced'
  /** The answer to `join`, unless it has to be asked for by itself: it fails, or the log lacks what the device has. */
  readonly joined?: JoinedLog | undefined
}

/** How far a device says that it has followed the log, if it knows it. */
export interface JoinPosition {
  readonly logId?: LogId | undefined
  readonly epoch?: Epoch | undefined
  readonly cursor?: number | undefined
}

/** Where a device continues, and with `page` what it lacks. */
export interface JoinQuestion {
  readonly position: JoinPosition
  readonly page?: PageRequest | undefined
}

export interface JoinedLog {
  readonly state: LogState
  /** Whether the log has everything that the position covers. */
  readonly isHeld: boolean
  /** `renewed`: the log has lost history, and got a new id. `due`: it has to, and `mayRenew` was false. */
  readonly renewal: 'none' | 'renewed' | 'due'
  /** What the device lacks, if a page was asked for. None if it lacks nothing, or the page cannot be read. */
  readonly page?: LogPage | undefined
}

/** What a reader takes as one page. */
export interface PageRequest {
  readonly maxBytes: number
  /** Whether the batch may be compressed. Default: false. */
  readonly takesCompressed?: boolean
}

/** Pushes that are committed in one transaction, in this order. */
export interface PushGroup {
  readonly pushes: readonly EncodedPush[]
  /** How much the space may hold. */
  readonly allotment: Allotment
  /** Unix milliseconds. */
  readonly now: number
}

export interface EncodedPush {
  readonly userId: UserId
  /** As it came, and not yet validated. */
  readonly batch: Uint8Array
}

/** What became of one push. The positions of a push without accepted operations are the head. */
export type PushResult =
  | {
      readonly ok: true
      readonly after: number
      readonly cursor: number
      /** When it was committed, in Unix milliseconds. */
      readonly at: number
      readonly duplicates: number
      readonly rejected: RejectedOp[]
      /** The accepted operations, encoded, unless they are all of the push or none. */
      readonly batch?: Uint8Array
    }
  | { readonly ok: false; readonly error: ErrorBody }

export interface CommittedGroup {
  readonly state: LogState
  /** One for each push, in the order of the group. Accepted operations have their positions in that order. */
  readonly results: readonly PushResult[]
  /** About how many bytes the log has grown by. */
  readonly grownBytes: number
}

/** A page of the log: positions `after + 1` to `cursor`. */
export interface LogPage {
  readonly state: LogState
  readonly after: number
  readonly cursor: number
  /** An encoded batch, compressed only if the reader takes that. */
  readonly batch: Uint8Array
  /** Who committed its operations. */
  readonly commits: Commit[]
}

/** What a storage is asked about a space: what it is given, and what it answers. */
export interface StorageCalls {
  /**
   * Opens the space's log, and creates it if there is none. `left` is where it stood when it was closed, if that is
   * known. `deleted`: the log was deleted, which the accounts may have forgotten. Nothing is open then. With `join`, the
   * device is answered for which the log is opened, so that it waits for the storage once.
   */
  open: {
    given: OfSpace & { readonly left: LogState | undefined; readonly join?: JoinQuestion | undefined }
    answer: OpenedLog | 'deleted'
  }
  /**
   * Compares a device's position with the log. Gives a log that has lost history a new id, if it may. With `page`, reads
   * what follows where the device continues.
   */
  join: {
    given: OfSpace & JoinQuestion & { readonly mayRenew: boolean }
    answer: JoinedLog
  }
  /**
   * Decodes, admits and appends pushes, a small group in one transaction. Durable when it is answered. When it rejects, the
   * group or a part of it may be in the log all the same, which `left` shows once the log is opened again.
   */
  commit: { given: OfSpace & PushGroup; answer: CommittedGroup }
  /** Rejects with `invalid_request` for a position after the head. */
  page: { given: OfSpace & PageRequest & { readonly after: number }; answer: LogPage }
  /** Counts the operations of a tree, up to `atMost`. */
  countTree: { given: OfSpace & { readonly treeId: TreeId; readonly atMost: number }; answer: number }
  /** Keeps an access list in the log, durably, instead of the one before. */
  keepAccess: { given: OfSpace & { readonly access: KeptAccess }; answer: undefined }
  /** Closes the log. Harmless if it is not open. */
  release: { given: OfSpace; answer: undefined }
  /** Removes the log for good, and remembers it, durably. Closes it first. Harmless without one. */
  remove: { given: OfSpace; answer: undefined }
}

export type StorageCall = keyof StorageCalls

type Asynchronous = {
  readonly [Name in StorageCall]: (
    given: StorageCalls[Name]['given'],
  ) => Promise<StorageCalls[Name]['answer']>
}

/**
 * The logs of all spaces. Calls about one space take effect and are answered in the order in which they are made; calls
 * about several spaces in any order. Where nothing is said, a call rejects with `SyncError`: `storage_failed` when the
 * medium fails, `LogGoneError` (a `storage_failed`) when the log has to be opened again, and `unavailable`.
 */
export interface Storage extends Asynchronous {
  /** How many bytes the logs of the spaces take, open or not. A log that cannot be read counts 0. */
  bytesOf(spaceIds: readonly SpaceId[]): Promise<number>
  /** Those of the spaces of which there is a log, or the note that it was deleted. Opens and creates nothing. */
  existing(spaceIds: readonly SpaceId[]): Promise<readonly SpaceId[]>
  /** Reads a tree. The order of other calls does not hold for it. */
  readonly readTree: TreeReader
  /** Sets who is told that the storage has lost the open logs of these spaces: they have to be opened again. */
  onLost(listener: (isLost: (spaceId: SpaceId) => boolean) => void): void
  /** Closes every log. Calls under way are answered first, later ones reject with `unavailable`. */
  close(): Promise<void>
}
