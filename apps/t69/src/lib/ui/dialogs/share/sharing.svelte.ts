import type { Invite, InviteRole, InviteSummary, Member, Role, UserId } from '@t69/protocol'

import { refusalText } from '../../../model/refusal-text.ts'
import type { SpaceView } from '../../../state/space-view.svelte.ts'
import { afterDoubleClick } from '../../parts/double-click.ts'

/** The members and invite links of a space as the server lists them, and the requests that change them. */
export class Sharing {
  members = $state.raw<readonly Member[]>([])
  /** The active links, for those who may invite; empty for everyone else. */
  invites = $state.raw<readonly InviteSummary[]>([])
  /** The link that was created last, while it is active: the server shows a link only once. */
  created = $state.raw<Invite | null>(null)
  /** Why the last request failed; empty when it did not. */
  problem = $state('')
  /** A change is on its way: what was pressed for it must not ask for another one meanwhile. */
  isChanging = $state(false)
  readonly #view: SpaceView
  /** Counts requests for the lists: a reply that a later request has overtaken is out of date. */
  #requests = 0

  constructor(view: SpaceView) {
    this.#view = view
  }

  /** Runs what the user asked for. A failure becomes `problem`; resolves with whether it succeeded. */
  async attempt(action: () => Promise<void>): Promise<boolean> {
    this.problem = ''
    return await this.#try(action)
  }

  async refresh(): Promise<void> {
    await this.attempt(() => this.#load())
  }

  /** Resolves once `created` is the new link. The lists follow. */
  async createInvite(role: InviteRole): Promise<boolean> {
    const done = this.#begin()
    const isCreated = await this.attempt(async () => {
      this.created = await this.#view.space.invite(role)
    })
    done()
    if (isCreated) void this.#try(() => this.#load())
    return isCreated
  }

  async withdraw({ id }: InviteSummary): Promise<void> {
    await this.#change(() => this.#view.space.withdrawInvite(id))
  }

  /** Resolves with whether the member has the role now. */
  changeRole(userId: UserId, role: Role): Promise<boolean> {
    return this.#change(() => this.#view.space.changeRole(userId, role))
  }

  async remove(userId: UserId): Promise<void> {
    await this.#change(() => this.#view.space.removeMember(userId))
  }

  /** Removes the user from the space, whose lists then cannot be read any more. */
  async leave(userId: UserId): Promise<boolean> {
    const hasLeft = await this.attempt(() => this.#view.space.removeMember(userId))
    if (!hasLeft) await this.#try(() => this.#load())
    return hasLeft
  }

  /** A refusal stays on screen while the lists are read again. */
  async #change(action: () => Promise<void>): Promise<boolean> {
    const done = this.#begin()
    const hasChanged = await this.attempt(action)
    await this.#try(() => this.#load())
    done()
    return hasChanged
  }

  /** A button was pressed for a change. Call what is returned once it is made: by then another row may be where the button was. */
  #begin(): () => void {
    const pressedAt = performance.now()
    this.isChanging = true
    return () => void afterDoubleClick(pressedAt).then(() => (this.isChanging = false))
  }

  async #try(action: () => Promise<void>): Promise<boolean> {
    try {
      await action()
      return true
    } catch (error) {
      this.problem ||= refusalText(error)
      return false
    }
  }

  async #load(): Promise<void> {
    const request = ++this.#requests
    const { space, rights } = this.#view
    const [members, invites] = await Promise.all([space.members(), rights.invite ? space.invites() : []])
    if (request !== this.#requests) return
    this.members = members
    this.invites = invites
    // The server may have withdrawn the link that is shown.
    if (!invites.some(({ id }) => id === this.created?.id)) this.created = null
  }
}
