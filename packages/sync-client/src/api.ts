import type {
  ErrorBody,
  Invite,
  InviteId,
  InvitePreview,
  InviteRole,
  InviteSummary,
  JsonValue,
  Member,
  PasskeyAssertion,
  PasswordLink,
  Presence,
  Proof,
  Registration,
  Rights,
  Role,
  RoleName,
  SessionEntry,
  SessionId,
  SpaceId,
  SpaceIdentity,
  SpaceSummary,
  TreeId,
  User,
  UserId,
  VisitProvider,
  WaysToSignIn,
} from '@t69/protocol'
import type { Replica, Vertex } from '@t69/replica'

import type { Attestation, RejectedEdit } from './storage/index.ts'

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

/** A call of the server's HTTP API. */
export interface ServerCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Such as `/api/spaces`. */
  readonly path: string
  readonly body?: unknown
}

/** The part of a zod schema that parsing a reply needs. What the server answers with nothing (204) is parsed as undefined. */
export interface ReplySchema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false }
}

/** One per tab in a browser, one per bot elsewhere. */
export interface SyncClient extends AsyncDisposable {
  /** Who is signed in, offline too; null when nobody is. Null until `ready` resolves. The same object until `onUser`. */
  readonly user: User | null
  /**
   * Called when somebody has signed in or out, here or in another tab, when the session has ended by itself, and when
   * the user's name has changed. The spaces of the user before are locked as soon as the listeners have returned: what
   * they write into those spaces without waiting is still kept there.
   */
  onUser(listener: (user: User | null) => void): Unsubscribe
  /**
   * True while nobody is signed in because the last session ended by itself: it expired, was ended on another device, or
   * the account was deleted there. Say so: signing in again opens the spaces. False after a sign-out.
   */
  readonly sessionEnded: boolean
  /**
   * True if the browser had lost its database when this page opened it, as Chromium may after a crash. The user is still signed
   * in, and what was synced comes back; edits that were not, and local spaces, are gone. Say so. It is known only of users
   * whose session is in a cookie.
   */
  readonly storageWasLost: boolean
  /** Resolves when the storage is open and the stored session is read. Needs no network. Every call awaits it. */
  readonly ready: Promise<void>
  /** Why nothing outlives this page (a private window, storage that the browser refuses), or null. Show it. */
  readonly volatileReason: string | null

  /**
   * Creates an account and signs in. Throws `already_exists` when the e-mail address has an account; `forbidden` where
   * signing up takes an invite and there is none, or nobody may sign up; and like `acceptInvite` for one that is not
   * valid. `invite` is the token of a link, to a space or to the server. One to a space still has to be accepted.
   */
  signUp(input: Credentials & { readonly name: string; readonly invite?: string | undefined }): Promise<User>
  /** Who may sign up on the server. */
  registration(): Promise<Registration>
  /**
   * Throws `wrong_credentials`. Resolves once the user's spaces that were locked here are open again (see `signOut`). Spaces
   * that are local stay local: see `Space.enableSync`.
   */
  signIn(input: Credentials): Promise<User>
  /**
   * Has the server send a link to set another password (`mailsLinks` of `registration`). Says nothing of whether there is an
   * account with the address. Throws `not_found` where no mail is sent, and `rate_limited`.
   */
  sendPasswordLink(email: string): Promise<void>
  /**
   * Whose password a link sets, that was made for somebody who forgot theirs. Changes nothing, and needs nobody to
   * be signed in. Throws `not_found` for an unknown token, and `invite_expired` for a link that was used, is too old, or was
   * replaced by a newer one.
   */
  passwordLink(token: string): Promise<PasswordLink>
  /**
   * Sets a password by such a link, which is used up, and signs in as whose it is: all other devices of that account are
   * signed out. Somebody else who is signed in here should be signed out first (`signOut`). Throws as `passwordLink` does.
   */
  setPassword(input: { readonly token: string; readonly newPassword: string }): Promise<User>
  /**
   * The address to send the browser to so that somebody signs in at the provider (`provider` of `registration`), to sign in or up
   * here, to connect it with the account, or to confirm that it is they who delete an account without a password, or give it one. They come
   * back to the app with `#provider=returned` in its address, or with `declined` or `failed`. Throws `unavailable` if the provider
   * cannot be reached, and `wrong_credentials`.
   */
  visitProvider(why: VisitProvider): Promise<string>
  /**
   * Signs in as who came back, like `signIn`. Throws `already_exists` for somebody whose address has an account that was not shown to be
   * theirs, like `signUp` for somebody new, and `forbidden` if nobody came back, or too long ago.
   */
  signInWithProvider(): Promise<User>
  /** Connects the account with who came back. Throws `already_exists` if they have another one, and `forbidden`. */
  connectProvider(): Promise<void>
  /**
   * Ends what connects the account with the provider. Throws `forbidden` if the user could not sign in any more, `not_found` if nothing
   * connects them, and like `changePassword`.
   */
  disconnectProvider(proof: Proof): Promise<void>
  /**
   * Signs in as whose passkey it is, like `signIn` (`passkeys` of `registration`; `createPasskeysApi` of `@t69/sync-client/passkeys` says
   * what to ask the browser for). Throws `wrong_credentials` for a passkey that does not fit, and `forbidden` for one that answers again.
   */
  signInWithPasskey(passkey: PasskeyAssertion): Promise<User>
  /** How the user may sign in. */
  waysToSignIn(): Promise<WaysToSignIn>
  /**
   * Ends the session on this device, or on all devices. The user's spaces are locked: they stay on this device, with their
   * unsent edits, and those that are open open again by themselves once the same account signs in. With `forget` they are removed from this
   * device instead, with drafts and keys, and what `unsent` names is lost. Without a network, this device is signed out at
   * once and the server is told later; other devices stay signed in then.
   */
  signOut(options?: { readonly everywhere?: boolean; readonly forget?: boolean }): Promise<void>
  /**
   * The user's spaces on this device with something that the server has not committed, or has refused: that is lost if
   * this device forgets them. Ask before `forget`. Empty while nobody is signed in.
   */
  unsent(): Promise<UnsentSpace[]>
  /**
   * Accounts that had the address of the user who is signed in, that the server has lost, and whose spaces this device
   * keeps locked. Such an account cannot sign in again: after the loss of its data and its secret, a server gives
   * whoever signs up with that address another user id. Ask the person, and name both accounts, before `takeOver`. An
   * account that the server has, or that was deleted, is not among them.
   */
  lostAccounts(): Promise<LostAccount[]>
  /**
   * Makes the spaces of a lost account the user's, with drafts, keys and unsent edits. The server gets them as spaces
   * that were only ever on this device, and their other members have to be invited again. Throws `forbidden` for an
   * account that `lostAccounts` does not list.
   */
  takeOver(userId: UserId): Promise<void>
  /**
   * Also signs out every other device, and removes other ways to sign in. Takes the password, or a passkey that confirms it. An
   * account without a password may also be given one after a visit to the provider (`visitProvider`), with neither. Throws
   * `wrong_credentials` when what is given does not hold.
   */
  changePassword(input: Proof & { readonly newPassword: string }): Promise<void>
  /**
   * Deletes the account on the server, with the spaces that have no other member. Its spaces on this device are locked as
   * by `signOut`, which nobody can undo; with `forget` they are removed. Throws `wrong_credentials`, or `forbidden` with
   * a message that names the spaces that would be left without an owner.
   */
  deleteAccount(input: Proof & { readonly forget?: boolean }): Promise<void>
  /**
   * Changes the name that others see, and resolves once this device has it too (`onUser`). Others see it beside new messages at
   * once, and beside the user's cursor within minutes. Throws `invalid_request` for one that is empty or too long.
   */
  changeName(name: string): Promise<void>
  /**
   * Has the server send a link to the address that the account is to have (`canChangeAddress` of `waysToSignIn`). What it takes
   * is as for `changePassword`. Says nothing of whether another account has the address. Throws `not_found` where no mail is sent.
   */
  changeAddress(input: Proof & { readonly email: string }): Promise<void>
  /**
   * Changes the address by that link, on a device where the same account is signed in, and resolves with the user as this device
   * has it then (`onUser`). Throws `invite_expired`, and `already_exists` if somebody has the address by now.
   */
  confirmAddress(token: string): Promise<User>
  /** Where the user is signed in: every device that has a session, the last used first. */
  sessions(): Promise<SessionEntry[]>
  /**
   * Ends one of the user's sessions, whose device is cut off at once and locks the user's spaces. Throws `not_found` if it has
   * ended already. To end that of this device, `signOut` is the better way: it does not wait for the server.
   */
  endSession(sessionId: SessionId): Promise<void>
  /** Ends all of the user's sessions but that of this device. */
  endOtherSessions(): Promise<void>
  /** Whether the user is an admin of the server, as it is now. */
  isAdmin(): Promise<boolean>
  /**
   * Makes a call of the server's HTTP API in the user's name, for what this client has no function of its own. Throws what the
   * server answers; `unavailable` where no t69 server answers; and `unauthenticated` while nobody is signed in.
   */
  call<Reply>(call: ServerCall, reply: ReplySchema<Reply>): Promise<Reply>
  /** As `call`, in nobody's name, for what everybody may ask. */
  callAsNobody<Reply>(call: ServerCall, reply: ReplySchema<Reply>): Promise<Reply>

  /**
   * Creates a space and resolves once it is on this device's disk. Needs no network. While somebody is signed in,
   * the space is theirs, and syncs as soon as there is a connection; otherwise it is local (see `enableSync`). Throws
   * `invalid_request` for a name that is empty or longer than 200 characters.
   */
  createSpace(input: { readonly name: string }): Promise<Space>
  /**
   * The spaces to show, oldest first: local ones and the user's, also those that are only on the server so far. Not those
   * that this device keeps for other accounts, or of other servers. Waits up to 4 s for the server's list, then uses the
   * last known one.
   */
  listSpaces(): Promise<SpaceInfo[]>
  /** Called when the result of `listSpaces` may have changed, through this tab, another tab or the server. */
  onSpaces(listener: () => void): Unsubscribe
  /**
   * Opens a space; an open space is returned as the same object. One that is only on the server starts empty and
   * fills: `Space.loaded` awaits its root. One of which this device knows only the id takes the server, which answers in one round
   * trip. Throws `not_found`, and `invalid_request` for text that is not an id; and for
   * a space that this device keeps for an account that is not signed in `unauthenticated`, or `forbidden` while another
   * account is.
   *
   *     const space = await client.openSpace(spaceId)
   *     const root = await space.loaded()
   *     const stop = space.onStatus(({ phase, pending, error }) => show(phase, pending, error))
   */
  openSpace(spaceId: string): Promise<Space>
  /**
   * Deletes the space from this device; and from the server, for everybody, if it is synced and the role of the user
   * who is signed in may delete it. If the server cannot be reached then, nothing is deleted. Throws for a locked space, as
   * `openSpace` does.
   */
  deleteSpace(spaceId: string): Promise<void>
  /**
   * Copies everything that this device has of a space into a new one, with an id of its own, and opens it. The original stays
   * as it is. For a space that was deleted for everybody, that the user was removed from, or whose id another space has
   * now. As with `createSpace`, the copy is the user's who is signed in. Throws `not_found` if this device does not have the
   * space, and `invalid_request` for a name that is empty or longer than 200 characters.
   */
  copySpace(spaceId: string, input: { readonly name: string }): Promise<Space>
  /**
   * Creates a space that already has trees, such as one that was exported elsewhere, and resolves with its id once all of
   * it is on this device's disk. Until then nobody sees anything of it, and if it fails or is aborted, nothing is left.
   * The trees are asked for one after another, as fast as the disk takes them. Each begins with its root, and a vertex
   * comes after its parent. As with `createSpace`, the space is the user's who is signed in. Throws `invalid_request` for
   * what no space can hold, and the signal's reason.
   */
  importSpace(
    input: { readonly name: string; readonly trees: AsyncIterable<ImportedTree> | Iterable<ImportedTree> },
    options?: WaitOptions,
  ): Promise<SpaceId>
  /**
   * What an invite link leads to, for a question before `acceptInvite`. Changes nothing, and needs nobody to be signed
   * in. To a member, `memberOf` names the space: there is nothing to ask. Throws as `acceptInvite` does.
   *
   *     const { space, role, invitedBy } = await client.previewInvite(token)
   */
  previewInvite(token: string): Promise<InvitePreview>
  /**
   * Joins the space of an invite link. A member keeps their role. Throws `not_found` for an unknown token,
   * `invalid_request` for text that is none, and `invite_expired` for one that no longer works. Throws `other_space` if
   * this device has another space under that id: the user is a member then, and sees the space once that other one was
   * copied (`copySpace`) and deleted from this device.
   *
   *     const { id } = await client.acceptInvite(token) // `token` of `Space.invite`, the end of its `url`
   *     const space = await client.openSpace(id)
   */
  acceptInvite(token: string): Promise<SpaceSummary>

  /**
   * Stores the edits that are not on disk yet, then releases the socket, the timers and the storage. Calls after
   * it throw `unavailable`. Calling it again returns the same promise. Rejects if the disk refuses edits; the client is
   * closed all the same.
   */
  close(): Promise<void>
}

/** A vertex of a tree that is imported. */
export interface ImportedVertex {
  /** 32 hex digits, new in the tree. That of a root is replaced by the id of its tree. */
  readonly id: string
  /** Null for the root. */
  readonly parentId: string | null
  readonly properties: Readonly<Record<string, JsonValue>>
}

/** A tree of a space that is imported: see `SyncClient.importSpace`. */
export interface ImportedTree {
  /** 32 hex digits, new in the space; undefined for the space's own tree. */
  readonly id: string | undefined
  readonly vertices: readonly ImportedVertex[]
}

/** A space with something that the server has not committed: see `SyncClient.unsent`. */
export interface UnsentSpace {
  readonly id: SpaceId
  readonly name: string
  /** How many edits wait or were refused. Null while that is not known: perhaps the server has nothing of the space. */
  readonly edits: number | null
}

/** An account that the server has lost: see `SyncClient.lostAccounts`. */
export interface LostAccount {
  /** As it was when it was last signed in here. `name` is empty if an earlier release kept none. */
  readonly user: User
  /** The spaces that this device keeps for it. */
  readonly spaces: readonly { readonly id: SpaceId; readonly name: string }[]
}

export interface SpaceInfo {
  readonly id: SpaceId
  readonly name: string
  readonly createdAt: Date
  /** Null for a local space. A newer server may name a role that this version does not know. */
  readonly role: RoleName | null
  /** False for a local space. */
  readonly synced: boolean
  /**
   * True if this device keeps the space for another account that is a member too: each space is on a device once. It
   * opens here once the other account has signed in and forgotten its spaces (see `signOut`).
   */
  readonly locked: boolean
}

/**
 * What syncing does now:
 * - `local`: the space does not sync.
 * - `signed-out`: its user is not signed in any more. The space is locked: its trees are disposed, and calls reject with
 *   `unauthenticated`. Once its user is signed in again, it opens again by itself: see `onReplaced`. If the disk cannot be
 *   read then, it stays locked until `openSpace` opens it.
 * - `offline`: there is no connection; it is retried.
 * - `connecting`: connecting, or joining the space.
 * - `catching-up`: fetching what others wrote meanwhile, or merging it into the trees of this tab.
 * - `live`: up to date; changes come as they are made.
 * - `blocked`: the server refuses this space or this client (removed from it, deleted, client too old), or has another
 *   space in its place (`other_space`). `error` says why. Edits stay on this device.
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

/** The id of an operation within its space. In RepTree's own form, `id.counter` is the clock. */
export interface OpName {
  readonly treeId: string
  readonly clock: number
  readonly peerId: string
}

/** A tree as it was: its vertices, depth first, with their properties, and who committed the last edit that the space had then. */
export interface PastTree {
  readonly vertices: readonly {
    readonly id: string
    /** Null for the root. */
    readonly parentId: string | null
    readonly properties: Readonly<Record<string, JsonValue>>
  }[]
  /** Null for what was committed before servers kept account of it. */
  readonly commit: Attestation | null
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
  /**
   * The space's own tree, whose id is the space's. The same object until `onReplaced` names it, disposed while the space is
   * locked. Values that are read from a tree are frozen: to change an object or an array, write a changed copy.
   *
   *     note.setProperty('tags', [...tagsOf(note), 'new'])
   */
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
   * Says which account committed an operation of an open tree, and when, as the server attested it. What an operation
   * itself says of its author is only the word of the client that made it. What was written signed out is attributed to
   * the account that first synced it. Null while that is not known: the operation has not been committed yet, or was
   * before servers kept account of it; also for a tree that is not open. Once known, it stays, whatever becomes of the
   * server's log.
   *
   *     const { counter: clock, peerId } = chat.writerOf(messageId, 'text')
   *     const author = space.authorOf({ treeId: space.treeIdOf(chat), clock, peerId })
   */
  authorOf(op: OpName): Attestation | null
  /**
   * Reads a tree, by default the space's own, as it was at a position of the server's log: what it showed once that many edits
   * had been committed in the space. Also says who committed the last of them, and when. `status.head` is the newest position;
   * a server that has lost some of its log begins others. Throws `invalid_request` for a position after the head, `not_found`
   * for a tree that had no edits then, `too_large`, and what keeps the server from being asked.
   *
   *     const { head } = space.status // before a meeting, say
   *     const { vertices, commit } = await space.at(head) // afterwards
   */
  at(seq: number, options?: { readonly treeId?: string }): Promise<PastTree>
  /** Called with the id of an open tree when `authorOf` knows more about it, or may. */
  onAuthors(listener: (treeId: TreeId) => void): Unsubscribe
  /**
   * Says which connection of another device shows a transient value in place of a stored one, and whose it is, as the
   * server attested it; `user` is null for one that shows no presence. Null when there is no such value, or when this
   * device shows it. Anybody who may edit can show a value in any place.
   */
  transientBy(place: {
    readonly treeId: string
    readonly vertexId: string
    readonly key: string
  }): { readonly connectionId: string; readonly user: Presence['user'] | null } | null

  /**
   * Makes a local space a synced one of the user who is signed in, and resolves once that is stored. Everything
   * written so far is then sent: `flushed` awaits that. Does nothing if the space already syncs for this user.
   * Throws `unauthenticated`, and `forbidden` for another user's space.
   */
  enableSync(): Promise<void>
  /**
   * The space that the server has in the place of this one, while `status` is `blocked` with `other_space`: somebody else
   * has registered a space with the id of this one. Nothing of this one is sent there. Null otherwise, and if the user is
   * not a member of that space. There are two ways on, and both are the user's to choose: `sendToOtherSpace`, and
   * `SyncClient.copySpace`.
   */
  otherSpace(): Promise<SpaceSummary | null>
  /**
   * Makes this space the one that `otherSpace` gave, by its `identity`: everything that this device holds is sent there, for
   * all of its members to read. Ask the user first, with the names of both. Resolves once that is stored: `flushed` awaits the rest.
   * Throws `forbidden` unless `status` is `blocked` with `other_space`.
   */
  sendToOtherSpace(identity: SpaceIdentity): Promise<void>
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
   * Resolves when every edit made so far is on this device's disk, whatever is edited meanwhile. Waits for as long as the
   * disk refuses them. Throws `unavailable` if the space is closed before that, and `unauthenticated` if it is locked.
   */
  stored(options?: WaitOptions): Promise<void>
  /**
   * Resolves when every edit made so far is committed on the server, or refused, whatever is edited meanwhile. Waits for as
   * long as there is no network: pass a `signal` to give up. Edits that wait stay on this device, and are sent when they can
   * be. Throws `invalid_request` for a local space; `forbidden` when edits wait and `rights.edit` is false; the error of
   * `status` while the space is `blocked`; `unavailable` if the space is closed before that; and `unauthenticated` if it is
   * locked.
   *
   *     chat.root?.setProperty('title', 'Groceries')
   *     await space.flushed()
   *     if (space.status.rejected > 0) showRefused(await space.rejectedEdits())
   */
  flushed(options?: WaitOptions): Promise<void>

  /** The edits that the server refused, each with the reason. They are shown, and stay on this device. */
  rejectedEdits(): Promise<RejectedEdit[]>
  /**
   * Puts all refused edits back into the outbox, to be sent again. Those whose id another operation has taken get a new
   * one, as if they were made now: open trees of which there are such edits are replaced, see `onReplaced`.
   */
  retryRejected(): Promise<void>
  /** Removes all refused edits for good, from this device and from its trees: see `onReplaced`. */
  discardRejected(): Promise<void>
  /**
   * Called when another replica has taken the place of an open tree: refused edits of it were discarded, here or in
   * another tab, or it turned out not to match the server's log, and was rebuilt, or the space was locked and is open
   * again. The replica before is disposed, and its observers are gone. The tree stays open as often as it was.
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
   * Stores the edits that are not on disk yet, and disposes the space's trees. Other calls reject from then on, also if the
   * space was locked, and it does not open again. Rejects if the disk refuses the edits; the space is closed all the same.
   * Edits that wait for the server are still sent, once the space's user is signed in.
   */
  close(): Promise<void>
}
