import type { ErrorBody, Epoch, SpaceId, SpaceIdentity, UserId } from '@t69/protocol'

import type { StorageCall, StorageCalls } from './storage.ts'

/** What a storage thread is started with. */
export interface ThreadData {
  readonly dataDir: string
  readonly synchronous: 'full' | 'normal'
  readonly epoch: Epoch
}

/** What the accounts know of a space whose log is opened. */
export interface KnownSpace {
  readonly hasLog: boolean
  readonly identity: SpaceIdentity | undefined
}

/** One call, to the thread. Calls about one space are answered in order. */
export type CallMessage = {
  [Name in StorageCall]: {
    readonly nr: number
    readonly name: Name
    readonly given: StorageCalls[Name]['given']
    /** The server's time, in Unix milliseconds. */
    readonly now: number
    /** Given with `open`. */
    readonly known?: KnownSpace
  }
}[StorageCall]

export type ToThread =
  | CallMessage
  | { readonly nr: number; readonly name: 'bytesOf' | 'existing'; readonly spaceIds: readonly SpaceId[] }
  /** Another reader met damage in the log. Not answered. */
  | { readonly name: 'suspect'; readonly spaceId: SpaceId }
  /** Closes every log and ends the thread. */
  | { readonly nr: number; readonly name: 'end' }

/** An error as data: an exception loses its class on the way to another thread. */
export interface ThreadFailure {
  /** Undefined for a bug. */
  readonly body: ErrorBody | undefined
  /** Whether the log has to be opened again. */
  readonly isGone: boolean
  readonly message: string
  readonly stack: string | undefined
  readonly cause:
    | { readonly message: string; readonly code: string | undefined; readonly path: string | undefined }
    | undefined
}

/** What a call took of the thread, in ms of its core, by whom it was done for. */
export type Spent = readonly { readonly userId: UserId; readonly ms: number }[]

export type FromThread =
  | { readonly nr: number; readonly ok: true; readonly answer: unknown; readonly spent: Spent }
  | { readonly nr: number; readonly ok: false; readonly failure: ThreadFailure; readonly spent: Spent }
  | { readonly warning: { readonly details: object; readonly message: string } }
