import type { InvitePreview } from '@t69/protocol'
import type { SyncClient } from '@t69/sync-client'

import { codeOf, errorText } from '../model/error-text.ts'

/** An invite link that the page was opened with. Following it changes nothing: the user is asked first. */
export class Invitation {
  readonly token: string
  /** What the server says of it; null until it does. */
  preview = $state.raw<InvitePreview | null>(null)
  /** Why there is no preview; empty while there is nothing to say. */
  problem = $state('')
  /** The link will never work. */
  isDead = $state(false)

  constructor(token: string) {
    this.token = token
  }

  /** The user who was signed in when the server was asked; undefined before that. */
  #asked: string | null | undefined

  /** Asks the server, and again for another user: a member of the space is told so. */
  async load(client: Pick<SyncClient, 'previewInvite' | 'user'>): Promise<void> {
    const asking = client.user?.id ?? null
    if (this.preview !== null && this.#asked === asking) return
    this.#asked = asking
    this.problem = ''
    try {
      this.preview = await client.previewInvite(this.token)
    } catch (error) {
      const code = codeOf(error)
      this.isDead = code === 'not_found' || code === 'invite_expired' || code === 'invalid_request'
      this.problem =
        this.isDead && code !== 'invite_expired'
          ? 'This invite link does not work. Check it, or ask for a new one.'
          : errorText(error)
    }
  }
}

/** What a link leads to: a space, an account on this server, another password or address of one, or back from the provider. */
type LinkKind = 'space' | 'server' | 'password' | 'provider' | 'address'

/** The tokens are kept for this tab only: a link that somebody follows must not ask in other tabs, or another day. */
const keys: Readonly<Record<LinkKind, string>> = {
  space: 't69-invite',
  server: 't69-server-invite',
  password: 't69-password-link',
  provider: 't69-provider-visit',
  address: 't69-address-link',
}
/** Where the token is in the page (see public/take-invite.js). */
const fields: Readonly<Record<LinkKind, string>> = {
  space: 'spaceInvite',
  server: 'serverInvite',
  password: 'passwordLink',
  provider: 'providerVisit',
  address: 'addressLink',
}

/** Whether a link of this kind was opened, and nobody has taken it. */
export function isLinkOpened(kind: LinkKind): boolean {
  return fields[kind] in document.documentElement.dataset
}

/** The token of the link that the page was opened with, also after a reload; or null. */
export function takeLink(kind: LinkKind): string | null {
  const { dataset } = document.documentElement
  const field = fields[kind]
  const token = dataset[field]
  delete dataset[field]
  try {
    if (token !== undefined) sessionStorage.setItem(keys[kind], token)
    return sessionStorage.getItem(keys[kind])
  } catch {
    // The browser refuses storage: a reload forgets the link.
    return token ?? null
  }
}

export function forgetLink(kind: LinkKind): void {
  try {
    sessionStorage.removeItem(keys[kind])
  } catch {
    // There was none to forget.
  }
}
