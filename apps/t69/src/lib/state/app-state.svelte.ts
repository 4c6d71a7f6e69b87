import { startOfText, type User } from '@t69/protocol'
import type { LostAccount, SpaceInfo, SyncClient } from '@t69/sync-client'

import type { Reader } from '../model/authorship.ts'
import type { NewMessage } from '../model/chat-tree.ts'
import { codeOf, errorText } from '../model/error-text.ts'
import { chatsByActivity, isBlank, itemOfTree, layOutSpace, titleOf } from '../model/space-tree.ts'
import { lockedText } from '../model/sync-text.ts'
import { appBase, readAddress, readAdminPath, type PageAddress } from './address.ts'
import {
  lastShownOf,
  readCurrentSpace,
  readFirstSpace,
  readSpaceIds,
  saveCurrentSpace,
  storeNotedDrafts,
} from './device-storage.ts'
import { Eviction } from './eviction.svelte.ts'
import { anySpaceId, blankFirstSpaceId, deleteBlankFirstSpace } from './first-space.ts'
import { forgetLink, Invitation, isLinkOpened, takeLink } from './invitation.svelte.ts'
import type { OpenChat } from './open-chat.svelte.ts'
import type { WrittenMessage } from './open-chats.svelte.ts'
import { createOpeningNote, takeCrashes } from './opening-note.ts'
import { createPagePlace } from './place.ts'
import { endProviderVisit } from './provider-visit.ts'
import { SpaceView } from './space-view.svelte.ts'
import { Ui } from './ui.svelte.ts'
import { createUndoing, type Undoing } from './undoing.ts'

/** The state of the whole app: who is signed in, which spaces there are, and the one on screen. */
export class AppState {
  readonly client: SyncClient
  readonly ui = new Ui()
  readonly eviction = new Eviction()
  /** How often somebody has written something on this page. */
  written = $state(0)
  user = $state.raw<User | null>(null)
  /** Nobody is signed in, because the last session ended by itself. */
  sessionEnded = $state(false)
  spaces = $state.raw<readonly SpaceInfo[]>([])
  /** Those of `spaces` that this device does not keep for somebody else. */
  readonly openable = $derived(this.spaces.filter((space) => !space.locked))
  /** An account that the server has lost, and whose spaces are here: asked about once no other dialog is open. */
  lostAccount = $state.raw<LostAccount | null>(null)
  /** A space that is not opened, since the last page that opened it crashed; the page asks what to do. */
  crashed = $state.raw<PageAddress | null>(null)
  /** Where the admin page is, which is in front of the space then: see `readAdminPath`. Null while it is closed. */
  adminPath = $state.raw<string | null>(null)
  /** The user is an admin of the server, as far as this page has asked. */
  isAdmin = $state(false)
  /** The space on screen; null only until the first one is open. */
  view = $state.raw<SpaceView | null>(null)
  /** The person at the screen, to tell their messages and deletions from those of others. */
  readonly reader = $derived<Pick<Reader, 'id' | 'isAlone'>>({
    id: this.user?.id ?? null,
    isAlone: this.#isLocal,
  })
  /** The token of a link to this server, until somebody signs in. */
  #serverInvite: string | null = null
  readonly undoing: Undoing = createUndoing(this.ui, this)
  readonly #place = createPagePlace(this.ui.layers)
  readonly #note = createOpeningNote()
  /** The chats that a page crashed with. They are opened only when somebody asks for them. */
  readonly #crashedChats = new Set<string>()
  /** Resolves once the space that was asked for last is open. */
  #opening: Promise<void> = Promise.resolve()
  /** Called before the spaces of a user who is signed out are locked: what it stores without waiting is kept. */
  onLocking: () => void = () => {}
  /** The same for a space that has left the screen, before it is closed. */
  onLeaving: (view: SpaceView) => void = () => {}

  constructor(client: SyncClient) {
    this.client = client
  }

  get #isLocal(): boolean {
    return this.view?.status.phase === 'local'
  }

  /** With which somebody may sign up who was sent a link to this server. */
  get signUpInvite(): string | undefined {
    return this.#serverInvite ?? undefined
  }

  /** Opens the space that the address names, else the one that was open last, else a first local space. */
  async start(): Promise<void> {
    // The client opens the database first, and says what keeps it from that.
    await this.client.ready
    await storeNotedDrafts()
    await this.ui.sidebar.restore()
    this.user = this.client.user
    this.adminPath = readAdminPath(location, appBase().pathname)
    this.#sayWhetherEnded()
    this.#sayWhetherLost()
    this.client.onUser((user) => void this.ui.attempt(() => this.#userChanged(user)))
    this.client.onSpaces(() => void this.ui.attempt(() => this.#spacesChanged()))
    addEventListener('popstate', () => void this.ui.attempt(() => this.#follow()))
    addEventListener('online', () => void this.#openWaitingLink())

    const token = takeLink('space')
    if (token !== null) this.ui.openDialog({ kind: 'invite', invitation: new Invitation(token) })
    this.#offerPassword()
    const address = readAddress(location, history.state)
    // A space on this device opens without waiting for the server's list, which may be slow to come.
    const listed = this.refreshSpaces()
    const wanted = [address.spaceId, await readCurrentSpace()]
    const here = await readSpaceIds(this.user?.id ?? null)
    const known = wanted.find((id) => id !== null && here.includes(id))
    const crashes = await takeCrashes()
    for (const { treeId } of crashes) if (treeId !== null) this.#crashedChats.add(treeId)
    if (crashes.some(({ spaceId, treeId }) => spaceId === known && treeId === null)) {
      this.crashed = { spaceId: known ?? null, treeId: address.spaceId === known ? address.treeId : null }
      return listed
    }
    const namesAnother = address.spaceId !== null && address.spaceId !== known
    if (namesAnother) this.#place.link = address
    // The client has the last word on which of them this user may open.
    if (known) {
      await this.#inTurn(() => this.#openSpace(known, namesAnother ? null : address.treeId)).catch(() => {})
    }
    if (namesAnother) await this.#openLink(address)
    await listed
    if (this.view === null) {
      const space = this.openable.find(({ id }) => wanted.includes(id)) ?? this.openable[0]
      if (space === undefined) await this.#openAnySpace()
      else await this.#inTurn(() => this.#openSpace(space.id))
    }
    this.#offerSignUp()
    await endProviderVisit(this.client, this.ui)
  }

  /** Asks the server whether the user is an admin. Resolves with whether it answered: otherwise, what was known stays. */
  async askWhetherAdmin(): Promise<boolean> {
    const { user } = this
    if (user === null) return false
    const isAdmin = await this.client.isAdmin().catch(() => null)
    if (isAdmin === null || this.user?.id !== user.id) return false
    this.isAdmin = isAdmin
    return true
  }

  /** Shows a place on the admin page; with null, the space again. */
  showAdmin(path: string | null): void {
    this.ui.drawerOpen = false
    this.adminPath = path
    this.#showPlace('push')
  }

  async refreshSpaces(): Promise<void> {
    this.spaces = await this.client.listSpaces()
    this.view?.refresh()
  }

  openSpace(spaceId: string, treeId: string | null = null): Promise<void> {
    this.#place.link = null
    return this.#inTurn(() => this.#openSpace(spaceId, treeId))
  }

  /** Spaces open one after another, so that the last one asked for is shown, and one asked for twice opens once. */
  #inTurn(open: () => Promise<void>): Promise<void> {
    const opening = this.#opening.then(open)
    this.#opening = opening.catch(() => {})
    return opening
  }

  async #openSpace(spaceId: string, treeId: string | null = null): Promise<void> {
    if (this.view?.space.id === spaceId) {
      if (treeId !== null) await this.openChat(treeId)
      return
    }
    const locked = this.spaces.find((space) => space.id === spaceId && space.locked)
    if (locked !== undefined) throw new Error(lockedText(locked.name))
    const before = this.view
    const opened = this.#note.begin({ spaceId, treeId: null })
    try {
      const next = new SpaceView(await this.client.openSpace(spaceId), this.#note)
      next.readBy(this.user)
      const crashed = await next.restore(treeId, this.#crashedChats).catch(async (error: unknown) => {
        // Otherwise a space that was locked meanwhile would open again by itself, with nobody to show it.
        await next.close().catch(() => {})
        throw error
      })
      // Its user was signed out while it was opened.
      if (next.isLocked) return await next.close()
      this.view = next
      this.crashed = null
      if (crashed !== null) this.#tellCrashed(crashed)
    } finally {
      opened()
    }
    this.ui.leaveSpace()
    this.#showPlace('replace')
    await saveCurrentSpace(spaceId)
    if (before !== null) this.onLeaving(before)
    await before?.close()
    await this.view?.chats.focused?.opened
  }

  /** Signs out, and keeps the user's spaces on this device, locked, or removes them from it. */
  async signOut(how: { readonly everywhere: boolean; readonly forget: boolean }): Promise<void> {
    await this.client.signOut(how)
    const text = how.forget
      ? 'You are signed out. Your spaces were removed from this device.'
      : 'You are signed out. Your spaces are locked on this device until you sign in again.'
    this.ui.show({ kind: 'info', text })
  }

  /** Asks whether the spaces of an account that the server has lost are the user's. */
  askAboutLostAccount(): void {
    if (this.lostAccount === null || this.ui.dialog !== null) return
    this.ui.openDialog({ kind: 'lost-account', lost: this.lostAccount })
    this.lostAccount = null
  }

  /** Makes the spaces of a lost account the user's, and shows one of them. */
  async takeOver({ user, spaces }: LostAccount): Promise<void> {
    await this.client.takeOver(user.id)
    this.ui.closeDialog('lost-account')
    await this.refreshSpaces()
    const id = (await lastShownOf(spaces.map((space) => space.id))) ?? spaces[0]?.id
    if (id !== undefined) await this.openSpace(id)
    await this.#deleteBlankFirstSpace()
  }

  async #findLostAccount(user: User): Promise<void> {
    // Without an answer of the server, nobody is asked: the next sign-in tries again.
    const [lost] = await this.client.lostAccounts().catch(() => [])
    if (this.user?.id === user.id) this.lostAccount = lost ?? null
  }

  #tellCrashed(treeId: string): void {
    this.#crashedChats.delete(treeId)
    const item = this.view && itemOfTree(this.view.tree, treeId)
    const text = item
      ? `t69 ended while it opened the chat “${titleOf(item)}”, which may be too large for this browser. Choose it to try again.`
      : 't69 ended while it opened a chat, which may be too large for this browser. Choose it to try again.'
    this.ui.show({ kind: 'error', text })
  }

  /** Makes the local space on screen a synced one. */
  async enableSync(): Promise<void> {
    if (this.user === null || this.view === null) return
    await this.view.enableSync(this.user)
    await this.refreshSpaces()
  }

  async createSpace(name: string): Promise<void> {
    const space = await this.client.createSpace({ name })
    layOutSpace(space.root)
    await space.stored()
    await this.refreshSpaces()
    await this.openSpace(space.id)
  }

  /** Copies what this device has of the space on screen into a new space, and shows that. */
  async copySpace(): Promise<void> {
    if (this.view === null) return
    const { space, name } = this.view
    const copy = await this.client.copySpace(space.id, { name: `${startOfText(name, 190)} (copy)` })
    await this.refreshSpaces()
    await this.openSpace(copy.id)
    this.ui.show({ kind: 'info', text: `This is your copy of “${name}”.` })
  }

  async deleteSpace(spaceId: string): Promise<void> {
    if (this.view?.space.id === spaceId) await this.#openOther(spaceId)
    await this.client.deleteSpace(spaceId)
    await this.refreshSpaces()
  }

  async openChat(treeId: string | null): Promise<void> {
    // Closes at once, so that it stays open for a user who opens it again while the chat loads.
    this.ui.drawerOpen = false
    const opened = this.view?.chats.open(treeId)
    this.#showPlace('push')
    await opened
  }

  /** Closes the tab of a chat. If that was on screen, the tab that comes to the front is. */
  async closeTab(treeId: string): Promise<void> {
    this.view?.chats.panes.close(treeId)
    this.#showPlace('push')
    await this.view?.chats.focused?.opened
  }

  /** Changes the panes of the space on screen. Then another chat may have the focus. */
  arrange(change: () => void): void {
    change()
    this.#showPlace('push')
  }

  /** Another pane is what the title, the address and the keys are about. */
  focusPane(paneId: string): void {
    this.view?.chats.panes.focus(paneId)
    this.#showPlace('replace')
  }

  async newChat(folderId: string | null): Promise<void> {
    this.ui.drawerOpen = false
    await this.view?.chats.create(folderId)
    this.#showPlace('push')
  }

  /** A message by the user, written now. */
  newMessage(text: string, mentions: readonly string[] = []): NewMessage {
    const { user } = this
    return { role: 'user', text, createdAt: Date.now(), author: user?.name, authorId: user?.id, mentions }
  }

  /**
   * Writes a message into a chat, or into a new one. Resolves with undefined after a failure, which is shown as a
   * notice.
   */
  async write(
    chat: OpenChat | null,
    text: string,
    mentions: readonly string[] = [],
  ): Promise<WrittenMessage | undefined> {
    const { view } = this
    if (view === null) return undefined
    const written = await this.ui.attempt(() => view.chats.write(chat, this.newMessage(text, mentions)))
    if (written !== undefined && chat === null) this.chatChanged()
    if (written !== undefined) this.keep()
    return written
  }

  /** Something was written that should not get lost: asks the browser to keep it, where it keeps anything. */
  keep(): void {
    this.written++
    if (this.client.volatileReason === null) void this.eviction.refuse()
  }

  /** Updates the address after something else opened or closed a chat. */
  chatChanged(): void {
    this.#showPlace('push')
  }

  /** Updates the address of the same place, once the server knows its space. */
  placeChanged(): void {
    this.#showPlace('replace')
  }

  /**
   * Joins the space of an invite link and shows it: only the button of the question calls this. Resolves with why the
   * user did not join, if so.
   */
  async join({ token }: Invitation): Promise<string | undefined> {
    try {
      const joined = await this.client.acceptInvite(token)
      forgetLink('space')
      this.ui.closeDialog('invite')
      await this.ui.attempt(async () => {
        await this.refreshSpaces()
        await this.openSpace(joined.id)
        void this.ui.attempt(() => this.#openNewestChat())
        await this.#deleteBlankFirstSpace()
        this.ui.show({ kind: 'info', text: `You have joined “${joined.name}”.` })
      })
      return undefined
    } catch (error) {
      return errorText(error, { not_found: 'This invite no longer works. Ask for a new one.' })
    }
  }

  /** Opens the space of an invite link, whose member the user is already. */
  async openInvited(spaceId: string): Promise<void> {
    forgetLink('space')
    this.ui.closeDialog('invite')
    await this.ui.attempt(async () => {
      await this.openSpace(spaceId)
      void this.ui.attempt(() => this.#openNewestChat())
    })
  }

  /**
   * Opens the chat in which somebody wrote last, once this device has all of the space on screen: whoever follows an invite
   * wants to see what is there. Does nothing for a user who has opened a chat or begun to write by then.
   */
  async #openNewestChat(): Promise<void> {
    const { view } = this
    if (view === null || view.chats.focused !== null) return
    await view.caughtUp()
    const [newest] = chatsByActivity(view.tree)
    if (this.view !== view || typeof newest?.treeId !== 'string') return
    if (view.chats.focused !== null || view.chats.blank.text !== '') return
    view.items.reveal(newest.id)
    const opened = view.chats.open(newest.treeId)
    this.#showPlace('replace')
    await opened
  }

  /** Leaves everything as it was before the invite link was followed. */
  decline(): void {
    forgetLink('space')
  }

  /** Opens the space that a link names, also one that this device has not opened yet. Resolves with whether it is open. */
  async #openLink(link: PageAddress): Promise<boolean> {
    const { spaceId, treeId } = link
    if (spaceId === null) return false
    try {
      await this.openSpace(spaceId, treeId)
      return true
    } catch (error) {
      const isWrong = this.user !== null && codeOf(error) === 'not_found'
      this.#place.link = isWrong ? null : link
      this.#showPlace('replace')
      const text =
        this.user === null
          ? 'Sign in to open the space of this link.'
          : errorText(error, {
              not_found: 'This link is to a space that you are not a member of, or that is gone.',
            })
      this.ui.show({ kind: 'error', text })
      return false
    }
  }

  async #openWaitingLink(): Promise<boolean> {
    if (this.#place.link === null || !(await this.#openLink(this.#place.link))) return false
    // It said why the link waited.
    this.ui.hideNotice()
    return true
  }

  /** After a link to set a password, or to confirm an address, was opened. */
  #offerPassword(): void {
    const token = takeLink('password')
    if (token !== null) this.ui.openDialog({ kind: 'set-password', token })
    const confirming = takeLink('address')
    if (confirming !== null) this.ui.openDialog({ kind: 'confirm-address', token: confirming })
  }

  /** After a link to this server was opened. */
  #offerSignUp(): void {
    this.#serverInvite = takeLink('server')
    if (this.#serverInvite === null || this.user !== null) return
    this.ui.openDialog({
      kind: 'auth',
      form: 'sign-up',
      why: 'You are invited to this server. Sign up to sync and share.',
    })
  }

  /** Until its first wait, this runs before the client locks the spaces of the user before. */
  async #userChanged(user: User | null): Promise<void> {
    const before = this.user
    this.user = user
    if (before?.id !== user?.id) {
      if (before !== null) this.#leaveUser()
      else this.ui.hideNotice()
      this.#sayWhetherEnded()
    }
    if (user !== null) {
      this.#serverInvite = null
      forgetLink('server')
      if (before?.id !== user.id) void this.#findLostAccount(user)
    }
    this.view?.readBy(user)
    await this.refreshSpaces()
    if (user !== null && before?.id !== user.id) {
      if (await this.#openWaitingLink()) await this.#deleteBlankFirstSpace()
      else await this.#inTurn(() => this.#returnToSpace())
    }
    if (this.view === null) await this.#openAnySpace()
  }

  /** Takes everything of the user before off the screen. */
  #leaveUser(): void {
    this.onLocking()
    this.lostAccount = null
    this.isAdmin = false
    this.ui.leaveAccount()
    const { view } = this
    if (view === null || !view.isLocked) return
    this.view = null
    document.title = 't69'
    void this.ui.attempt(() => view.close())
  }

  #sayWhetherEnded(): void {
    this.sessionEnded = this.client.sessionEnded
    if (!this.sessionEnded) return
    const text = 'Your session has ended. Your spaces are locked on this device until you sign in again.'
    this.ui.show({ kind: 'error', text })
  }

  #sayWhetherLost(): void {
    if (!this.client.storageWasLost) return
    const text =
      'This browser has lost what it stored for t69. What was synced comes back from the server; the rest is gone.'
    this.ui.show({ kind: 'error', text })
  }

  /**
   * After a sign-in, shows the user's space that this device has shown last. If it has shown none, shows one of them
   * instead of a blank first space, unless the user already chose another.
   */
  async #returnToSpace(): Promise<void> {
    const synced = this.openable.filter((space) => space.synced).map(({ id }) => id)
    const [last, first] = [await lastShownOf(synced), synced[0]]
    if (last === undefined) {
      if (first === undefined || this.view?.space.id !== (await readFirstSpace())) return
      if ((await blankFirstSpaceId(this.client, this.spaces, this.view)) === null) return
    }
    await this.#openSpace(last ?? first ?? '')
    await this.#deleteBlankFirstSpace()
  }

  async #spacesChanged(): Promise<void> {
    // It became the space of a user who was signed out in another tab.
    if (this.view?.isLocked === true) this.#leaveUser()
    await this.refreshSpaces()
    if (this.spaces.some(({ id }) => id === this.#place.link?.spaceId)) await this.#openWaitingLink()
    const { view } = this
    if (view === null) return this.#openAnySpace()
    if (!view.space.isDeleted) return
    // One that gave way to the user's own, as after a sign-in in another tab, is missed by nobody.
    const isMissed = !isBlank(view.tree) || view.space.id !== (await readFirstSpace())
    await this.#openOther(view.space.id)
    if (!isMissed) return
    this.ui.show({ kind: 'info', text: `“${view.name}” was deleted in another tab.` })
  }

  async #openOther(spaceId: string): Promise<void> {
    const other = this.openable.find((space) => space.id !== spaceId)
    if (other === undefined) await this.#openAnySpace(spaceId)
    else await this.openSpace(other.id)
  }

  /** Opens any space but `goingId`, and creates one where there is none. */
  async #openAnySpace(goingId?: string): Promise<void> {
    const spaceId = await anySpaceId(this.client, async () => {
      await this.refreshSpaces()
      return this.openable.filter(({ id }) => id !== goingId)
    })
    if (!this.spaces.some(({ id }) => id === spaceId)) await this.refreshSpaces()
    await this.#inTurn(() => this.#openSpace(spaceId))
  }

  async #deleteBlankFirstSpace(): Promise<void> {
    await deleteBlankFirstSpace(this.client, this.view)
    await this.refreshSpaces()
  }

  /** Goes where the address says, after back, forward or typing. */
  async #follow(): Promise<void> {
    if (this.ui.layers.popped()) {
      this.#place.returned(this.adminPath ?? this.view)
      return
    }
    const isOfAccount = isLinkOpened('password') || isLinkOpened('address')
    if (isLinkOpened('server') || isOfAccount) {
      if (isOfAccount) this.#offerPassword()
      else this.#offerSignUp()
      this.#showPlace('replace')
      return
    }
    this.adminPath = readAdminPath(location, appBase().pathname)
    if (this.adminPath !== null) return
    const address = readAddress(location, history.state)
    const { view } = this
    if (view === null || (address.spaceId === null && address.treeId === null)) return
    const isHere = address.spaceId === null || address.spaceId === view.space.id
    if (isHere) await view.chats.open(address.treeId)
    else await this.#openLink(address)
    this.#showPlace('replace')
  }

  /** Shows in the address where the page is. */
  #showPlace(how: 'push' | 'replace'): void {
    this.#place.show(this.adminPath ?? this.view, how)
  }
}
