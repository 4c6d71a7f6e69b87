import type { User } from '@t69/protocol'
import type { SpaceInfo, SyncClient } from '@t69/sync-client'

import type { Reader } from '../model/authorship.ts'
import type { NewMessage } from '../model/chat-tree.ts'
import { layOutSpace } from '../model/space-tree.ts'
import { addressOf, appBase, readAddress } from './address.ts'
import { readCurrentSpace, readFirstSpace, readSpaceIds, saveCurrentSpace } from './device-storage.ts'
import { Eviction } from './eviction.svelte.ts'
import { anySpaceId, blankFirstSpaceId } from './first-space.ts'
import { SpaceView } from './space-view.svelte.ts'
import { Ui } from './ui.svelte.ts'

/** The state of the whole app: who is signed in, which spaces there are, and the one on screen. */
export class AppState {
  readonly client: SyncClient
  readonly ui = new Ui()
  readonly eviction = new Eviction()
  /** The path of the app, with a slash at the end. */
  readonly #base = appBase().pathname
  user = $state.raw<User | null>(null)
  /** The user who was signed in last on this page. Synced spaces stay theirs after signing out. */
  #lastUser = $state.raw<User | null>(null)
  spaces = $state.raw<readonly SpaceInfo[]>([])
  /** The space on screen; null only until the first one is open. */
  view = $state.raw<SpaceView | null>(null)
  /**
   * The author of new messages, or null. Those written in a synced space after signing out are sent once the same user
   * signs in again.
   */
  readonly author = $derived(this.#isLocal ? this.user : this.#lastUser)
  /** The person at the screen, to tell their messages and deletions from those of others. */
  readonly reader = $derived<Pick<Reader, 'id' | 'isAlone'>>({
    id: this.#lastUser?.id ?? null,
    isAlone: this.#isLocal,
  })
  /** The token of the invite link that the page was opened with, until it is accepted. */
  #invite: string | null = null
  /** Resolves once the space that was asked for last is open. */
  #opening: Promise<void> = Promise.resolve()

  constructor(client: SyncClient) {
    this.client = client
  }

  get #isLocal(): boolean {
    return this.view?.status.phase === 'local'
  }

  /** Opens the space that the address names, else the one that was open last, else a first local space. */
  async start(): Promise<void> {
    await this.client.ready
    this.user = this.client.user
    this.#lastUser = this.user
    this.client.onUser((user) => void this.ui.attempt(() => this.#userChanged(user)))
    this.client.onSpaces(() => void this.ui.attempt(() => this.#spacesChanged()))
    addEventListener('hashchange', () => void this.ui.attempt(() => this.#follow()))

    const address = readAddress(location, this.#base)
    this.#invite = address.invite
    // A space on this device opens without waiting for the server's list, which may be slow to come.
    const listed = this.refreshSpaces()
    const wanted = [address.spaceId, await readCurrentSpace()]
    const here = await readSpaceIds(this.user?.id ?? null)
    const known = wanted.find((id) => id !== null && here.includes(id))
    if (known) await this.openSpace(known, known === address.spaceId ? address.treeId : null)
    await listed
    if (this.view === null) {
      const space = this.spaces.find(({ id }) => wanted.includes(id)) ?? this.spaces[0]
      if (space === undefined) await this.#openAnySpace()
      else await this.openSpace(space.id, space.id === address.spaceId ? address.treeId : null)
    }
    await this.#acceptInvite()
  }

  async refreshSpaces(): Promise<void> {
    this.spaces = await this.client.listSpaces()
    this.view?.refresh()
  }

  openSpace(spaceId: string, treeId: string | null = null): Promise<void> {
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
    const before = this.view
    const next = new SpaceView(await this.client.openSpace(spaceId))
    await next.restore(treeId)
    this.view = next
    this.ui.leaveSpace()
    this.#showAddress('replace')
    await saveCurrentSpace(spaceId)
    await before?.close()
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

  async deleteSpace(spaceId: string): Promise<void> {
    if (this.view?.space.id === spaceId) await this.#openOther(spaceId)
    await this.client.deleteSpace(spaceId)
    await this.refreshSpaces()
  }

  async openChat(treeId: string | null): Promise<void> {
    // Closes at once, so that it stays open for a user who opens it again while the chat loads.
    this.ui.drawerOpen = false
    const opened = this.view?.openChat(treeId)
    this.#showAddress('push')
    await opened
  }

  async newChat(folderId: string | null): Promise<void> {
    this.ui.drawerOpen = false
    await this.view?.newChat(folderId)
    this.#showAddress('push')
  }

  /** A message by the current author, written now. */
  newMessage(text: string): NewMessage {
    const { author } = this
    return { role: 'user', text, createdAt: Date.now(), author: author?.name, authorId: author?.id }
  }

  /**
   * Writes a message into the open chat, or into a new one. Resolves with the tree id of the chat, or with
   * undefined after a failure, which is shown as a notice.
   */
  async write(text: string): Promise<string | undefined> {
    const { view } = this
    if (view === null) return undefined
    const isNew = view.chatId === null
    const treeId = await this.ui.attempt(() => view.write(this.newMessage(text)))
    if (treeId !== undefined && isNew) this.chatChanged()
    if (treeId !== undefined) this.keep()
    return treeId
  }

  /** Something was written that should not get lost: asks the browser to keep it, where it keeps anything. */
  keep(): void {
    if (this.client.volatileReason === null) void this.eviction.refuse()
  }

  /** Updates the address after something else opened or closed a chat. */
  chatChanged(): void {
    this.#showAddress('push')
  }

  /** Joins the space of the invite link that the page was opened with. Asks to sign in first. */
  async #acceptInvite(): Promise<void> {
    const token = this.#invite
    if (token === null) return
    if (this.user === null) {
      this.ui.openDialog({ kind: 'auth', form: 'sign-up', why: 'Sign up or sign in to join the space.' })
      return
    }
    this.#invite = null
    await this.ui.attempt(async () => {
      const joined = await this.client.acceptInvite(token)
      await this.refreshSpaces()
      await this.openSpace(joined.id)
      await this.#deleteBlankFirstSpace()
      this.ui.show({ kind: 'info', text: `You have joined “${joined.name}”.` })
    })
    this.#showAddress('replace')
  }

  async #userChanged(user: User | null): Promise<void> {
    this.user = user
    if (user !== null) this.#lastUser = user
    await this.refreshSpaces()
    if (user === null) return
    if (this.#invite !== null) return this.#acceptInvite()
    await this.#inTurn(() => this.#leaveBlankFirstSpace())
  }

  /** After a sign-in, shows a space of the user instead of a blank first one, unless they already chose another. */
  async #leaveBlankFirstSpace(): Promise<void> {
    const synced = this.spaces.find((space) => space.synced)
    if (synced === undefined || this.view?.space.id !== (await readFirstSpace())) return
    if ((await blankFirstSpaceId(this.client, this.spaces, this.view)) === null) return
    await this.#openSpace(synced.id)
    await this.#deleteBlankFirstSpace()
  }

  async #spacesChanged(): Promise<void> {
    await this.refreshSpaces()
    const { view } = this
    if (view === null || !view.space.isDeleted) return
    await this.#openOther(view.space.id)
    this.ui.show({ kind: 'info', text: `“${view.name}” was deleted in another tab.` })
  }

  async #openOther(spaceId: string): Promise<void> {
    const other = this.spaces.find((space) => space.id !== spaceId)
    if (other === undefined) await this.#openAnySpace(spaceId)
    else await this.openSpace(other.id)
  }

  /** Opens any space but `goingId`, and creates one where there is none. */
  async #openAnySpace(goingId?: string): Promise<void> {
    const spaceId = await anySpaceId(this.client, async () => {
      await this.refreshSpaces()
      return this.spaces.filter(({ id }) => id !== goingId)
    })
    if (!this.spaces.some(({ id }) => id === spaceId)) await this.refreshSpaces()
    await this.openSpace(spaceId)
  }

  async #deleteBlankFirstSpace(): Promise<void> {
    const blank = await blankFirstSpaceId(this.client, this.spaces, this.view)
    if (blank === null || blank === this.view?.space.id) return
    await this.client.deleteSpace(blank)
    await this.refreshSpaces()
  }

  /** Goes where the address says, after back, forward or typing. */
  async #follow(): Promise<void> {
    const address = readAddress(location, this.#base)
    if (address.spaceId === null) return
    if (address.spaceId !== this.view?.space.id) {
      if (this.spaces.some((space) => space.id === address.spaceId))
        await this.openSpace(address.spaceId, address.treeId)
    } else await this.view.openChat(address.treeId)
  }

  #showAddress(how: 'push' | 'replace'): void {
    if (this.view === null || this.#invite !== null) return
    const address = addressOf(this.view.space.id, this.view.chatId, this.#base)
    if (`${location.pathname}${location.hash}` === address) return
    if (how === 'push') history.pushState(null, '', address)
    else history.replaceState(null, '', address)
  }
}
