import type { Presence, Rights, RoleName, User } from '@t69/protocol'
import type { Space, SpaceStatus } from '@t69/sync-client'

import { recordEarlierAuthor } from '../model/authorship.ts'
import { peopleByChat, presenceState, type OwnPresence } from '../model/presence.ts'
import { providersOf } from '../model/providers.ts'
import { itemOfTree } from '../model/space-tree.ts'
import type { ColorScheme } from '../model/themes.ts'
import type { Tree } from '../model/tree.ts'
import { ActivityNotes } from './activity-notes.ts'
import { Authors } from './authors.ts'
import { ChosenVersions } from './chosen-versions.svelte.ts'
import { Clashes } from './clashes.svelte.ts'
import { DeviceKeys } from './device-keys.svelte.ts'
import {
  readColorScheme,
  readSavedView,
  readTheme,
  saveColorScheme,
  saveTheme,
  saveView,
} from './device-storage.ts'
import { History } from './history.ts'
import { Items } from './items.svelte.ts'
import { MassDeletions } from './mass-deletions.svelte.ts'
import { OpenChats } from './open-chats.svelte.ts'
import type { OpeningNote } from './opening-note.ts'
import { People } from './people.svelte.ts'
import { Unread } from './unread.svelte.ts'

/** The space on screen: what the client says of it, what this device keeps of it, its sidebar, and its open chats. */
export class SpaceView {
  readonly space: Space
  /** The space's own tree. */
  tree: Tree
  status: SpaceStatus
  name: string
  /** The server knows the user as a member: the space is not local, and the user was not removed from it. */
  isMember: boolean
  /** The user's role, to say when it has changed; null in a local space. */
  role: RoleName | null
  /** What the user may do in the space: the screens ask nothing else. */
  rights: Rights
  present: readonly Presence[]
  /** What this tab shows of itself. */
  own = $state.raw<OwnPresence>({ chat: null })
  /** Who does what in each chat, on other devices of the user too, by the id of its tree. */
  readonly peopleByChat = $derived.by(() => peopleByChat(this.present))
  colorScheme = $state<ColorScheme>('system')
  /** The name of its theme on this device; null is the plain one. */
  theme = $state<string | null>(null)
  /** The user was asked whether to sync this local space, and keeps it local. */
  staysLocal = $state(false)
  /** The space was exported, or the user was told that there is no second copy of it. */
  hasOtherCopy = $state(false)
  /** The names of those who wrote here. */
  readonly people: People
  readonly authors: Authors
  readonly keys: DeviceKeys
  readonly chosen: ChosenVersions
  /** What the user did here in this tab, to undo it. */
  readonly history: History
  /** The chats and folders of the sidebar. */
  readonly items: Items
  /** The chats on screen. */
  readonly chats: OpenChats
  /** What is new here for the user. */
  readonly unread: Unread
  readonly massDeletions: MassDeletions
  /** What somebody else did to the same things at the same time. */
  readonly clashes: Clashes
  readonly activity = new ActivityNotes(
    () => this.tree,
    () => this.rights.edit,
  )
  /** Where deleting the space would delete it; null when the user may not. */
  readonly deletes = $derived.by<'everywhere' | 'here' | null>(() => {
    if (!this.isMember) return 'here'
    return this.rights.delete ? 'everywhere' : null
  })
  /** The server has something of the space. Until then, its id must not leave this device: see address.ts. */
  readonly isOnServer = $derived.by(() => this.status.cursor > 0 || this.status.head > 0)
  /** What was shown to others last. */
  #shown = ''
  #isClosed = false
  #stops: (() => void)[] = []

  constructor(space: Space, note: OpeningNote) {
    this.space = space
    this.tree = $state.raw(space.root)
    this.status = $state.raw(space.status)
    this.name = $state(space.name)
    this.isMember = $state(space.role !== null)
    this.role = $state(space.role)
    this.rights = $state.raw(space.rights)
    this.present = $state.raw(space.presence)
    this.people = new People(space)
    this.keys = new DeviceKeys(space.id)
    this.chosen = new ChosenVersions(space.id)
    const root = (): Tree => this.tree
    // A full server refuses edits but accepts deletions, as long as no other edit comes with them.
    const canMark = (): boolean => this.status.rejected === 0
    this.authors = new Authors(space, this.people)
    this.history = new History(space, canMark)
    this.unread = new Unread(space, root, this.authors.watch)
    this.massDeletions = new MassDeletions(space, this.authors.vouch)
    this.clashes = new Clashes(this.history)
    const { history, authors, unread, chosen, activity } = this
    const foldersChanged = (): void => this.#saveView()
    this.items = new Items({ space, root, history, authors, canMark, foldersChanged })
    this.chats = new OpenChats({
      space,
      root,
      history,
      authors,
      unread,
      chosen,
      activity,
      note,
      items: this.items,
      focusMoved: (chat) => {
        this.show({ chat })
        this.#saveView()
      },
    })
    // Without a chat, too, its user is in the space.
    this.show({})
    this.refresh()
    this.clashes.watch(this.tree)
    this.massDeletions.watch(this.tree)
    this.#stops.push(
      () => this.massDeletions.stop(),
      () => this.unread.close(),
      () => this.clashes.stop(),
      () => this.activity.close(),
      space.onStatus(() => this.refresh()),
      space.onPresence((present) => {
        const [before, knownIds] = [this.peopleByChat, this.#knownIds()]
        this.present = present
        this.activity.moved(before, this.peopleByChat)
        this.people.know(present.map(({ user }) => user))
        // Somebody who has just joined. Asked once: what they show changes with each key that they press.
        if (present.some(({ user }) => !knownIds.has(user.id))) void this.people.list()
      }),
      space.onReplaced((treeId) => this.#replaced(treeId)),
    )
  }

  /** Says who looks at it: null for nobody who is signed in. */
  readBy(user: User | null): void {
    this.unread.me = user?.id ?? null
    if (user !== null) this.people.know([user])
  }

  /** Shows others something more, or something else, of this tab. */
  show(part: Partial<OwnPresence>): void {
    this.own = { ...this.own, ...part }
    const state = presenceState(this.own)
    const words = JSON.stringify(state)
    if (words === this.#shown) return
    this.#shown = words
    this.space.setPresence(state)
  }

  /** Reads again what the client says of the space. */
  refresh(): void {
    const wasLive = this.status.phase === 'live'
    this.status = this.space.status
    this.name = this.space.name
    this.isMember = this.space.role !== null
    this.role = this.space.role
    this.rights = this.space.rights
    if (this.status.phase === 'live') this.massDeletions.caughtUp(this.tree)
    if (this.status.phase !== 'live' || wasLive) return
    void this.people.list()
    void this.unread.caughtUp()
  }

  /** Resolves once this device has all that the server has of the space. */
  async caughtUp(): Promise<void> {
    if (this.status.phase === 'live') return
    await new Promise<void>((resolve) => {
      const stop = this.space.onStatus(({ phase }) => {
        if (phase !== 'live') return
        stop()
        resolve()
      })
    })
  }

  /** Makes a local space a synced one, and notes `user` as the author of what it holds by then. */
  async enableSync(user: User): Promise<void> {
    await this.space.enableSync()
    recordEarlierAuthor(this.tree, { id: user.id, name: user.name, until: Date.now() })
  }

  /**
   * Shows the space as this device left it, with the chat `treeId` or the one that was open last. A chat of `crashed` is
   * not opened: resolves with the id of one that would have been.
   */
  async restore(treeId: string | null, crashed: ReadonlySet<string>): Promise<string | null> {
    const { id } = this.space
    const [saved, scheme, theme] = await Promise.all([
      readSavedView(id),
      readColorScheme(id),
      readTheme(id),
      this.chosen.restore(),
      this.keys.refresh(),
    ])
    for (const folderId of saved.openFolders) this.items.openFolders.add(folderId)
    this.staysLocal = saved.staysLocal
    this.hasOtherCopy = saved.hasOtherCopy
    this.colorScheme = scheme
    this.theme = theme
    if (this.status.phase === 'local') await this.keys.adopt(providersOf(this.tree))
    const { chat } = saved
    const last = typeof chat === 'string' && itemOfTree(this.tree, chat) !== undefined ? chat : null
    return await this.chats.restore(treeId ?? last, crashed)
  }

  /** Its user is not signed in any more: the client has locked the space, or is about to. */
  get isLocked(): boolean {
    return this.space.status.phase === 'signed-out'
  }

  /** It was deleted, or is locked, and takes no edits any more, whatever the user may do in it. */
  get isGone(): boolean {
    return this.isLocked || this.space.isDeleted
  }

  /** The user does not want to sync this local space, and is not asked again. */
  keepLocal(): void {
    this.staysLocal = true
    this.#saveView()
  }

  /** There is a second copy of the space, or the user wants none: nobody is told again. */
  noteOtherCopy(): void {
    this.hasOtherCopy = true
    this.#saveView()
  }

  async setColorScheme(scheme: ColorScheme): Promise<void> {
    this.colorScheme = scheme
    await saveColorScheme(this.space.id, scheme)
  }

  async setTheme(name: string | null): Promise<void> {
    this.theme = name
    await saveTheme(this.space.id, name)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const stop of this.#stops.splice(0)) stop()
    this.chats.close()
    await this.space.close()
  }

  /** Members, and those who were here already. */
  #knownIds(): ReadonlySet<string> {
    return new Set([...this.people.members.map(({ id }) => id), ...this.present.map(({ user }) => user.id)])
  }

  /** Edits were discarded: another replica has replaced the one on screen. */
  #replaced(treeId: string): void {
    if (treeId !== this.space.id) return void this.chats.replaced(treeId)
    this.tree = this.space.root
    this.massDeletions.watch(this.tree)
    this.clashes.watch(this.tree)
  }

  #saveView(): void {
    // This device may have forgotten the space by then.
    if (this.#isClosed) return
    void saveView(this.space.id, {
      chat: this.chats.focused?.treeId ?? null,
      openFolders: [...this.items.openFolders],
      shownAt: Date.now(),
      staysLocal: this.staysLocal,
      hasOtherCopy: this.hasOtherCopy,
    })
  }
}
