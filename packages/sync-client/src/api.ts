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
import type { Replica, Vertex } from '@t69/replica'

import type { RejectedEdit } from './storage/index.ts'

/**
 * The API of `@t69/sync-client`, as an app sees it. `createSyncClient` makes a `SyncClient`:
 *
 *     const client = createSyncClient({ url: location.origin })
 *     await client.ready
 *     const space = await client.createSpace({ name: 'Notes' })
 *     const root = await space.loaded() // the root of `space.root`, a RepTree: edit it, observe it
 *     root.newNamedChild('folder')
 *
 * Editing never waits: an edit shows at once, is on this device's disk within a frame (`stored`), and goes to the
 * server when there is a connection (`flushed`).
 *
 * A refused call rejects with a `SyncError`. Its `code` is one of `errorCodes` in `@t69/protocol`, which says for
 * each code what to do about it. A call that needs the server rejects with `unavailable` when the server cannot be
 * reached, with `unauthenticated` when nobody is signed in, and with `rate_limited` (and `retryAfterMs`) when there
 * were too many. The docstrings below name the other codes.
 */

export interface Credentials {
  readonly email: string
  readonly password: string
}

/** Removes the listener. Calling it again does nothing. */
export type Unsubscribe = () => void

/** One per tab in a browser, one per bot elsewhere. */
export interface SyncClient extends AsyncDisposable {
  /** Who is signed in, offline too; null when nobody is. Null until `ready` resolves. The same object until `onUser`. */
  readonly user: User | null
  /** Called when somebody has signed in or out, here or in another tab, and when the user's name has changed. */
  onUser(listener: (user: User | null) => void): Unsubscribe
  /** Resolves when the storage is open and the stored session is read. Needs no network. Every call awaits it. */
  readonly ready: Promise<void>
  /** Why nothing outlives this page (a private window, storage that the browser refuses), or null. Show it. */
  readonly volatileReason: string | null

  /** Creates an account and signs in. Throws `already_exists` when the e-mail address has an account. */
  signUp(input: Credentials & { readonly name: string }): Promise<User>
  /** Throws `wrong_credentials`. Spaces that are local stay local: see `Space.enableSync`. */
  signIn(input: Credentials): Promise<User>
  /**
   * Ends the session on this device, or on all devices. Spaces stay here. Without a network, this device is signed out
   * at once and the server is told later; other devices stay signed in then.
   */
  signOut(options?: { readonly everywhere?: boolean }): Promise<void>
  /** Also signs out every other device. Throws `wrong_credentials` when `password` is not the current one. */
  changePassword(input: { readonly password: string; readonly newPassword: string }): Promise<void>
  /**
   * Deletes the account on the server, with the spaces that have no other member. Spaces on this device stay, and
   * are never sent again. Throws `wrong_credentials`, or `forbidden` with a message that names the spaces that
   * would be left without an owner.
   */
  deleteAccount(input: { readonly password: string }): Promise<void>

  /**
   * Creates a space and resolves once it is on this device's disk. Needs no network. While somebody is signed in,
   * the space is theirs, and syncs as soon as there is a connection; otherwise it is local (see `enableSync`). Throws
   * `invalid_request` for a name that is empty or longer than 200 characters.
   */
  createSpace(input: { readonly name: string }): Promise<Space>
  /**
   * The spaces to show, oldest first: local ones, the user's (also those that are only on the server so far), and
   * those of accounts that were deleted on this device. Waits up to 4 s for the server's list, then uses the last
   * known one.
   */
  listSpaces(): Promise<SpaceInfo[]>
  /** Called when the result of `listSpaces` may have changed, through this tab, another tab or the server. */
  onSpaces(listener: () => void): Unsubscribe
  /**
   * Opens a space; an open space is returned as the same object. One that is only on the server starts empty and
   * fills: `Space.loaded` awaits its root. Throws `not_found`, and `invalid_request` for text that is not an id.
   *
   *     const space = await client.openSpace(spaceId)
   *     const root = await space.loaded()
   *     const stop = space.onStatus(({ phase, pending, error }) => show(phase, pending, error))
   */
  openSpace(spaceId: string): Promise<Space>
  /**
   * Deletes the space from this device; and from the server, for everybody, if it is synced and the role of the user
   * who is signed in may delete it. If the server cannot be reached then, nothing is deleted.
   */
  deleteSpace(spaceId: string): Promise<void>
  /**
   * Joins the space of an invite link. A member keeps their role. Throws `not_found` for an unknown token, and
   * `invite_expired` for one that no longer works.
   *
   *     const { id } = await client.acceptInvite(token) // `token` of `Space.invite`, the end of its `url`
   *     const space = await client.openSpace(id)
   */
  acceptInvite(token: string): Promise<SpaceSummary>

  /**
   * Stores the edits that are not on disk yet, then releases the socket, the timers and the storage. Calls after
   * it throw `unavailable`. Calling it again returns the same promise.
   */
  close(): Promise<void>
}

export interface SpaceInfo {
  readonly id: SpaceId
  readonly name: string
  readonly createdAt: Date
  /** Null for a local space. A newer server may name a role that this version does not know. */
  readonly role: RoleName | null
  /** False for a local space. */
  readonly synced: boolean
}

/**
 * What syncing does now:
 * - `local`: the space does not sync.
 * - `signed-out`: it syncs, but its user is not signed in (nobody is, or somebody else).
 * - `offline`: there is no connection; it is retried.
 * - `connecting`: connecting, or joining the space.
 * - `catching-up`: fetching what others wrote meanwhile.
 * - `live`: up to date; changes come as they are made.
 * - `blocked`: the server refuses this space or this client (removed from it, deleted, client too old, account
 *   deleted). `error` says why. Edits stay on this device.
 */
export type SyncPhase = 'local' | 'signed-out' | 'offline' | 'connecting' | 'catching-up' | 'live' | 'blocked'

export interface SpaceStatus {
  readonly phase: SyncPhase
  /** How many edits made on this device the server has not committed yet. */
  readonly pending: number
  /** How many edits the server refused. They stay on this device: see `rejectedEdits`. */
  readonly rejected: number
  /** How many of the log's operations this device has stored, counted from the start of the log. */
  readonly cursor: number
  /** How many operations the log has, as far as is known. */
  readonly head: number
  /** Why syncing, pushing or storing is held up, or null. Temporary errors are retried without a call. */
  readonly error: ErrorBody | null
  /**
   * Why edits are not on this device's disk yet (the disk is full, say), or null. They are retried, but until then
   * they are only in memory, and lost with the page. Show it.
   */
  readonly unstored: string | null
}

/** Ends a wait: the call rejects with the signal's reason, and nothing else changes. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
}

export interface Space {
  readonly id: SpaceId
  readonly name: string
  /** Null while local. A newer server may name a role that this version does not know. */
  readonly role: RoleName | null
  /**
   * What the user may do here: everything in a local space, and what the role allows in a synced one. While the
   * role is not known yet, an editor's rights: edits are kept, and the server decides. Changes with `onStatus`.
   *
   *     editor.readOnly = !space.rights.edit
   *     shareButton.hidden = !space.rights.invite
   */
  readonly rights: Rights
  /** The space's own tree, whose id is the space's. The same object until `onReplaced` names it. */
  readonly root: Replica
  /**
   * Resolves with the root of `root`, or of the open tree `treeId`, once this device has it: at once for what it has
   * stored, and otherwise when it has arrived from the server. Until then there is nothing to edit. Waits for as long as
   * there is no network: pass a `signal` to give up. Throws the error of `status` while the space is `blocked` and the
   * root is missing, `not_found` for a tree that is not open, and `unavailable` once the space is closed.
   *
   *     const space = await client.openSpace(spaceId)
   *     const root = await space.loaded({ signal: AbortSignal.timeout(10_000) })
   *     root.newNamedChild('folder')
   */
  loaded(options?: WaitOptions & { readonly treeId?: string }): Promise<Vertex>

  /**
   * Opens a tree of the space, read from this device; an open tree is returned as the same object. Each call needs
   * a `closeTree`. A tree that this device does not have is empty, and fills when its operations arrive: see `loaded`.
   *
   *     const chat = await space.openTree(treeId)
   *     const stop = chat.observeVertexMove(render)
   *     // when the chat leaves the screen
   *     stop()
   *     await space.closeTree(treeId)
   */
  openTree(treeId: string): Promise<Replica>
  /**
   * Creates a tree with a root, open and ready to edit. Does not wait for the disk: its first operations are edits
   * like all others (see `stored`). Keep its id in the space's tree: nothing else lists the trees of a space.
   *
   *     const chat = await space.createTree()
   *     const root = await space.loaded()
   *     root.newNamedChild('Chat', { tree: space.treeIdOf(chat) })
   */
  createTree(): Promise<Replica>
  /**
   * Closes a tree once, for one `openTree` or `createTree`. The last close stores its edits and disposes the
   * replica, which throws when it is edited after that.
   */
  closeTree(treeId: string): Promise<void>
  /** The id of a tree that `root`, `openTree` or `createTree` gave. Throws `not_found` for any other. */
  treeIdOf(tree: Replica): TreeId

  /**
   * Makes a local space a synced one of the user who is signed in, and resolves once that is stored. Everything
   * written so far is then sent: `flushed` awaits that. Does nothing if the space already syncs for this user.
   * Throws `unauthenticated`, and `forbidden` for another user's space.
   */
  enableSync(): Promise<void>
  /** True once the space was deleted, here or in another tab. Its trees are disposed. `onSpaces` tells of it. */
  readonly isDeleted: boolean
  /**
   * The present status: the same object until something in it changes, as frameworks expect of a snapshot. `onStatus`
   * tells of changes.
   *
   *     const status = useSyncExternalStore(space.onStatus, () => space.status) // in React
   */
  readonly status: SpaceStatus
  /** Called whenever `status`, `name`, `role` or `rights` may have changed. Not called for the present status. */
  onStatus(listener: (status: SpaceStatus) => void): Unsubscribe
  /**
   * Resolves when every edit made so far is on this device's disk. Waits for as long as the disk refuses them. Throws
   * `unavailable` if the space is closed before that.
   */
  stored(options?: WaitOptions): Promise<void>
  /**
   * Resolves when every edit made so far is committed on the server, or refused. Waits for as long as there is no
   * network, and while nobody is signed in: pass a `signal` to give up. Edits that wait stay on this device, and are
   * sent when they can be. Throws `invalid_request` for a local space; `forbidden` when edits wait and
   * `rights.edit` is false; the error of `status` while the space is `blocked`; and `unavailable` once the space is
   * closed.
   *
   *     chat.root?.setProperty('title', 'Groceries')
   *     await space.flushed()
   *     if (space.status.rejected > 0) showRefused(await space.rejectedEdits())
   */
  flushed(options?: WaitOptions): Promise<void>

  /** The edits that the server refused, each with the reason. They are shown, and stay on this device. */
  rejectedEdits(): Promise<RejectedEdit[]>
  /** Puts all refused edits back into the outbox, to be sent again. */
  retryRejected(): Promise<void>
  /** Removes all refused edits for good, from this device and from its trees: see `onReplaced`. */
  discardRejected(): Promise<void>
  /**
   * Called when another replica has taken the place of an open tree: refused edits of it were discarded, here or in
   * another tab, or it turned out not to match the server's log, and was rebuilt. The replica before is disposed,
   * and its observers are gone. The tree stays open as often as it was.
   *
   *     space.onReplaced(async (treeId) => {
   *       if (treeId === space.treeIdOf(space.root)) return showSpace(space.root)
   *       const chat = await space.openTree(treeId)
   *       await space.closeTree(treeId) // for the `openTree` that gave the replica before
   *       showChat(chat)
   *     })
   */
  onReplaced(listener: (treeId: TreeId) => void): Unsubscribe

  /**
   * Renames the space for everybody. Throws `forbidden` without the right, and `invalid_request` for a name that is empty
   * or longer than 200 characters. Works offline only while the server does not know the space yet.
   */
  rename(name: string): Promise<void>
  /** Who is in the space, asked of the server each time. Throws `not_found` if the server does not know the space. */
  members(): Promise<Member[]>
  /** Changes the role of a member. Throws `forbidden` without the right, and for the last owner. */
  changeRole(userId: UserId, role: Role): Promise<void>
  /** Removes a member, or lets the user leave. Throws `forbidden` without the right, and for the last owner. */
  removeMember(userId: UserId): Promise<void>
  /**
   * Creates an invite link. Any number of people with the link can join with this role until `expiresAt` (Unix
   * milliseconds). The server does not show the link again. Throws `forbidden` without the right
   * to invite, and `quota_exceeded` when the space has too many links.
   *
   *     const { url, expiresAt } = await space.invite('editor')
   */
  invite(role: InviteRole): Promise<Invite>
  /** The active invites, newest first, without their links. Throws `forbidden` without the right to invite. */
  invites(): Promise<InviteSummary[]>
  /** Ends an invite link. People who have joined by it stay. Throws `not_found` if it no longer works. */
  withdrawInvite(inviteId: InviteId): Promise<void>

  /**
   * The other connections in the space now, with what each of them shows of itself. Empty while not `live`. The same
   * array until `onPresence` tells of a change.
   */
  readonly presence: readonly Presence[]
  /**
   * Shows something of this user to the others: any JSON up to 64 KiB, null for nothing. It is sent again after
   * each reconnect. The tabs of a browser share one connection, so the last call in any of them wins. Throws
   * `invalid_request` for what is not JSON, or is too large.
   *
   *     space.setPresence({ tree: treeId, cursor: vertexId })
   *     space.onPresence((present) => showAvatars(present.map(({ user, state }) => ({ user, state }))))
   */
  setPresence(state: JsonValue): void
  /** Called when `presence` has changed. */
  onPresence(listener: (present: readonly Presence[]) => void): Unsubscribe

  /**
   * Stores the edits that are not on disk yet, and disposes the space's trees. Rejects if the disk refuses them;
   * the space is closed all the same. Edits that wait for the server are still sent.
   */
  close(): Promise<void>
}
