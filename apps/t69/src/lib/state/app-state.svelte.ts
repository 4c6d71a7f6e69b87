import type { User } from '@t69/protocol'
import { oneTabAtATime, type SpaceInfo, type SyncClient } from '@t69/sync-client'

import { isBlank, layOutSpace } from '../model/space-tree.ts'
import { addressOf, readAddress } from './address.ts'
import {
  readCurrentSpace,
  readDraft,
  readFirstSpace,
  readSpaceIds,
  saveCurrentSpace,
  saveFirstSpace,
} from './device-storage.ts'
import { SpaceView } from './space-view.svelte.ts'
import { Ui } from './ui.svelte.ts'

/** The draft of a message that has no chat yet. */
export const newChatDraft = 'new'

/** The whole app: who is signed in, which spaces there are, and the one on screen. */
export class AppState {
  readonly client: SyncClient
  readonly ui = new Ui()
  user = $state.raw<User | null>(null)
  /** Whose the synced space on screen is: who is signed in, or was until a moment ago. */
  writer = $state.raw<User | null>(null)
  spaces = $state.raw<readonly SpaceInfo[]>([])
  view = $state.raw<SpaceView | null>(null)
  invite = $state<string | null>(null)
  #opening: Promise<void> = Promise.resolve()

  constructor(client: SyncClient) {
    this.client = client
  }

  /** Opens what was open last, or a first local space. */
  async start(): Promise<void> {
    await this.client.ready
    this.user = this.client.user
    this.writer = this.user
    this.client.onUser((user) => void this.ui.attempt(() => this.#userChanged(user)))
    this.client.onSpaces(() => void this.ui.attempt(() => this.#spacesChanged()))
    addEventListener('hashchange', () => void this.ui.attempt(() => this.#follow()))

    const place = readAddress(location)
    this.invite = place.invite
    // What is here opens before the server is asked for the list: a bad network delays nothing.
    const listed = this.refreshSpaces()
    const wanted = [place.spaceId, await readCurrentSpace()]
    const here = await readSpaceIds(this.user?.id ?? null)
    const known = wanted.find((id) => id !== null && here.includes(id))
    if (known) await this.openSpace(known, known === place.spaceId ? place.treeId : null)
    await listed
    if (this.view === null) {
      const space = this.spaces.find(({ id }) => wanted.includes(id)) ?? this.spaces[0]
      if (space === undefined) await this.#openFirstSpace()
      else await this.openSpace(space.id, space.id === place.spaceId ? place.treeId : null)
    }
    await this.acceptInvite()
  }

  async refreshSpaces(): Promise<void> {
    this.spaces = await this.client.listSpaces()
    this.view?.refresh()
  }

  openSpace(spaceId: string, treeId: string | null = null): Promise<void> {
    return this.#inTurn(() => this.#openSpace(spaceId, treeId))
  }

  /** Spaces open one after another: what was asked for last is shown in the end, and asked for twice opens once. */
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
    // At once: whoever opens it again meanwhile means it.
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

  /** Keeps the address in step after something else opened or closed a chat. */
  chatChanged(): void {
    this.#showAddress('push')
  }

  /** Joins the space of the invite link that this page was opened with; asks to sign in first. */
  async acceptInvite(): Promise<void> {
    const token = this.invite
    if (token === null) return
    if (this.user === null) {
      this.ui.openDialog({ kind: 'auth', form: 'sign-up', why: 'Sign up or sign in to join the space.' })
      return
    }
    this.invite = null
    await this.ui.attempt(async () => {
      const joined = await this.client.acceptInvite(token)
      await this.refreshSpaces()
      await this.openSpace(joined.id)
      await this.#dropBlankFirstSpace()
      this.ui.show({ kind: 'info', text: `You have joined “${joined.name}”.` })
    })
    this.#showAddress('replace')
  }

  async #userChanged(user: User | null): Promise<void> {
    this.user = user
    if (user !== null) this.writer = user
    await this.refreshSpaces()
    if (user === null) return
    if (this.invite !== null) return this.acceptInvite()
    await this.#inTurn(() => this.#leaveBlankFirstSpace())
  }

  /** Who signs in where nothing was written yet wants to see what they have, unless they chose a space already. */
  async #leaveBlankFirstSpace(): Promise<void> {
    const first = await readFirstSpace()
    const synced = this.spaces.find((space) => space.synced)
    if (synced === undefined || this.view?.space.id !== first || !(await this.#isBlankFirstSpace())) return
    await this.#openSpace(synced.id)
    await this.#dropBlankFirstSpace()
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
    if (other === undefined) await this.#openFirstSpace(spaceId)
    else await this.openSpace(other.id)
  }

  /** Makes one where there is none but the one that goes. Of tabs that do so at once, one makes it for all. */
  async #openFirstSpace(goingId?: string): Promise<void> {
    const spaceId = await oneTabAtATime('t69-first-space', async () => {
      await this.refreshSpaces()
      const other = this.spaces.find(({ id }) => id !== goingId)
      return other?.id ?? (await this.#makeFirstSpace())
    })
    await this.openSpace(spaceId)
  }

  async #makeFirstSpace(): Promise<string> {
    const space = await this.client.createSpace({ name: 'My space' })
    layOutSpace(space.root)
    await saveFirstSpace(space.id)
    await this.refreshSpaces()
    return space.id
  }

  /** A space that a first visit made, that nobody wrote in, is not kept beside those that somebody did. */
  async #dropBlankFirstSpace(): Promise<void> {
    const first = await readFirstSpace()
    if (first === null || first === this.view?.space.id || !(await this.#isBlankFirstSpace())) return
    await this.client.deleteSpace(first)
    await this.refreshSpaces()
  }

  async #isBlankFirstSpace(): Promise<boolean> {
    const first = this.spaces.find((space) => !space.synced && space.name === 'My space')
    if (first === undefined || first.id !== (await readFirstSpace())) return false
    if ((await readDraft(first.id, newChatDraft)) !== undefined) return false
    if (this.view?.space.id === first.id) return isBlank(this.view.tree)
    const space = await this.client.openSpace(first.id)
    const blank = isBlank(space.root)
    await space.close()
    return blank
  }

  /** Back, forward, or an address typed in. */
  async #follow(): Promise<void> {
    const place = readAddress(location)
    if (place.spaceId === null) return
    if (place.spaceId !== this.view?.space.id) {
      if (this.spaces.some((space) => space.id === place.spaceId))
        await this.openSpace(place.spaceId, place.treeId)
    } else await this.view.openChat(place.treeId)
  }

  #showAddress(how: 'push' | 'replace'): void {
    if (this.view === null || this.invite !== null) return
    const address = addressOf(this.view.space.id, this.view.chatId)
    if (`${location.pathname}${location.hash}` === address) return
    if (how === 'push') history.pushState(null, '', address)
    else history.replaceState(null, '', address)
  }
}
