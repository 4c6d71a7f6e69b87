import type {
  ErrorBody,
  Invite,
  InviteId,
  InviteRole,
  InviteSummary,
  JsonValue,
  Member,
  Presence,
  Rights,
  Role,
  RoleName,
  SpaceId,
  SpaceSummary,
  TreeId,
  User,
  UserId,
} from '@t69/protocol'
import type { Replica } from '@t69/replica'

import type { RejectedEdit } from './storage/index.ts'

/** What `@t69/sync-client` offers an app. `createSyncClient` makes it. */

export interface Credentials {
  readonly email: string
  readonly password: string
}

export type Unsubscribe = () => void

/** Throws `SyncError` where the server refuses; every code says what to do (see `errorCodes`). */
export interface SyncClient {
  /** Who is signed in, also while offline; null when nobody is. Known once `ready` resolves. */
  readonly user: User | null
  onUser(listener: (user: User | null) => void): Unsubscribe
  /** The stored session is read. Needs no network. */
  readonly ready: Promise<void>
  /** Why nothing outlives this page (private window, storage refused), or null. Show it. */
  readonly volatileReason: string | null

  signUp(input: Credentials & { readonly name: string }): Promise<User>
  signIn(input: Credentials): Promise<User>
  /** Ends the session here, or everywhere. Spaces stay on the device. Works offline. */
  signOut(options?: { readonly everywhere?: boolean }): Promise<void>
  /** Signs out every other device. Throws `wrong_credentials` when `password` is not the present one. */
  changePassword(input: { readonly password: string; readonly newPassword: string }): Promise<void>
  /**
   * Deletes the account at the server, with the spaces that nobody else is in. What this device has stays on it, and
   * is not sent again. Throws `wrong_credentials`, and `forbidden`, whose message names the spaces that would be left
   * without an owner.
   */
  deleteAccount(input: { readonly password: string }): Promise<void>

  /** Signed in: a space that syncs as soon as there is a connection. Signed out: a local one. */
  createSpace(input: { readonly name: string }): Promise<Space>
  /** Local spaces, this user's, also those that only the server knows yet, and those of accounts deleted here. */
  listSpaces(): Promise<SpaceInfo[]>
  /** Called when the list may have changed. */
  onSpaces(listener: () => void): Unsubscribe
  /** Opening one that is open returns the same object. A space only on the server starts empty and fills. */
  openSpace(spaceId: string): Promise<Space>
  /** Deletes the space from this device, and for everybody when it is synced and the user owns it. */
  deleteSpace(spaceId: string): Promise<void>
  /** Joins the space of an invite link; signed in only. */
  acceptInvite(token: string): Promise<SpaceSummary>

  /** Lets go of sockets, timers and storage. Edits already made are stored first. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface SpaceInfo {
  readonly id: SpaceId
  readonly name: string
  readonly createdAt: Date
  /** `null` for a local space. A newer server may name a role that this version does not know. */
  readonly role: RoleName | null
  readonly synced: boolean
}

/**
 * `local`: never synced. `signed-out`: synced, but nobody (or somebody else) is signed in. `offline`: no
 * connection, retried by itself. `connecting`, `catching-up`, `live`: as they say. `blocked`: the server
 * refuses this space (removed, deleted, too old a client, an account that is gone); `error` says why, and the
 * edits stay here.
 */
export type SyncPhase = 'local' | 'signed-out' | 'offline' | 'connecting' | 'catching-up' | 'live' | 'blocked'

export interface SpaceStatus {
  readonly phase: SyncPhase
  /** Edits made here that the server has not committed yet. */
  readonly pending: number
  /** Edits that the server refused; they stay here. See `rejectedEdits`. */
  readonly rejected: number
  /** How many of the log's operations this device has, and how many there are. */
  readonly cursor: number
  readonly head: number
  readonly error: ErrorBody | null
  /**
   * Why edits made here are not on this device's disk yet (no room, say), or null. They go on being tried. Show
   * it: what is in memory only is lost with the page.
   */
  readonly unstored: string | null
}

export interface Space {
  readonly id: SpaceId
  readonly name: string
  /** Null while local. A newer server may name a role that this version does not know. */
  readonly role: RoleName | null
  /**
   * What the user may do here. All of it in a local space; in a synced one whose role is not known yet, what an
   * editor may: edits are kept, and the server decides. Changes with `onStatus`.
   */
  readonly rights: Rights
  /** The space tree, whose id is the space's. The same object, but see `onReplaced`. */
  readonly root: Replica

  /** A tree of the space by its id, loaded from this device; the same object while it is open. */
  openTree(treeId: string): Promise<Replica>
  /** A new tree with a root of its own, at once. Its first operations are edits like any other: see `stored`. */
  createTree(): Promise<Replica>
  /** Disposes a tree that `openTree` or `createTree` gave, once nobody else has it open. */
  closeTree(treeId: string): Promise<void>
  treeIdOf(tree: Replica): TreeId

  /** Makes a local space a synced one: all that was written before goes up. Signed in only. */
  enableSync(): Promise<void>
  /** Deleted, maybe in another tab: its trees are disposed. `onSpaces` tells of it. */
  readonly isDeleted: boolean
  readonly status: SpaceStatus
  onStatus(listener: (status: SpaceStatus) => void): Unsubscribe
  /** Every edit made so far is on this device's disk. */
  stored(): Promise<void>
  /** Every edit made so far is committed on the server, or refused. Waits through absences of the network. */
  flushed(): Promise<void>

  rejectedEdits(): Promise<RejectedEdit[]>
  retryRejected(): Promise<void>
  /** Lets go of refused edits for good. Trees of them that are open are replaced. */
  discardRejected(): Promise<void>
  /**
   * Called after edits were discarded, here or in another tab, with each tree that is open and had some; and
   * with a tree that turned out not to be as the server has it, and was rebuilt.
   * `root` or `openTree` gives another replica from then on; the one before is disposed. It stays open as
   * often as it was.
   */
  onReplaced(listener: (treeId: TreeId) => void): Unsubscribe

  rename(name: string): Promise<void>
  members(): Promise<Member[]>
  changeRole(userId: UserId, role: Role): Promise<void>
  /** Removes someone, or oneself: leaving. */
  removeMember(userId: UserId): Promise<void>
  invite(role: InviteRole): Promise<Invite>
  /** The invites that are good, newest first; owners only. Their links are shown once, by `invite`. */
  invites(): Promise<InviteSummary[]>
  withdrawInvite(inviteId: InviteId): Promise<void>

  /** Who else is here now, and what they said of where they are. Empty while not live. */
  readonly presence: readonly Presence[]
  /** Any JSON; kept and said again after each reconnect. */
  setPresence(state: JsonValue): void
  onPresence(listener: (present: readonly Presence[]) => void): Unsubscribe

  /** Stores what is left and disposes the space's trees. Syncing goes on if another tab has it open. */
  close(): Promise<void>
}
