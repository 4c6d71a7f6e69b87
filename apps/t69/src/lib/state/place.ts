import { showAddress, showAdminAddress, type PageAddress } from './address.ts'
import type { Layers } from './layers.ts'
import type { SpaceView } from './space-view.svelte.ts'

/** Where the page is: in a space, or at a path of the admin page. Null while it is in none. */
type Where = SpaceView | string | null

/** The place of the page in its address, and the link there that is not open yet. */
export interface PagePlace {
  /**
   * A link that is not open yet: nobody is signed in, or the server does not answer. It stays in the address, and opens
   * once it can, unless another place is opened first.
   */
  link: PageAddress | null
  /** Shows in the address where the page is: in a new entry of the history, or in place of the present one. */
  show(where: Where, how: 'push' | 'replace'): void
  /** The history is back from something that was closed: shows what could not be shown meanwhile. */
  returned(where: Where): void
}

export function createPagePlace(layers: Layers): PagePlace {
  let link: PageAddress | null = null
  /** Another chat was opened while the history was on its way back. */
  let isDue = false

  function show(where: Where, how: 'push' | 'replace'): void {
    if (how === 'push') link = null
    const isAdmin = typeof where === 'string'
    if (where === null || (!isAdmin && link !== null)) return
    if (how === 'push') isDue = layers.isReturning
    if (layers.isReturning) return
    if (isAdmin) return showAdminAddress(where, how)
    const { space, chats, isOnServer } = where
    showAddress({ spaceId: space.id, treeId: chats.focused?.treeId ?? null, isOnServer }, how)
  }

  return {
    get link() {
      return link
    },
    set link(waiting) {
      link = waiting
    },
    show,
    returned: (where) => show(where, isDue ? 'push' : 'replace'),
  }
}
