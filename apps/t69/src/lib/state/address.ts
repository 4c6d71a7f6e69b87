import { layerOf } from './layers.ts'

/** What the page's address names after `#`: a space, and a chat in it. Opening them changes nothing in either. */
export interface PageAddress {
  readonly spaceId: string | null
  readonly treeId: string | null
}

/**
 * What stands in place of the id of a space that the server does not know. Whoever knew that id could register it before
 * its owner does, so it must not be in a link. Which space is meant is noted in the entry of this tab's history.
 */
const here = 'here'

/** `entry` is the state of the history entry, as `showAddress` leaves it. */
export function readAddress(location: Pick<Location, 'hash'>, entry: unknown): PageAddress {
  const [named = '', treeId = ''] = location.hash.slice(1).split('/')
  const spaceId = named === here ? spaceIn(entry) : idOrNull(named)
  // The space's own tree is no chat.
  return { spaceId, treeId: treeId === spaceId ? null : idOrNull(treeId) }
}

function idOrNull(text: string): string | null {
  return /^[0-9A-Za-z_-]{1,64}$/.test(text) ? text : null
}

function spaceIn(entry: unknown): string | null {
  if (typeof entry !== 'object' || entry === null || !('spaceId' in entry)) return null
  return typeof entry.spaceId === 'string' ? idOrNull(entry.spaceId) : null
}

/** `base` is the path of the app, with a slash at the end: see `appBase`. A null `spaceId` is that of no link. */
export function addressOf(spaceId: string | null, treeId: string | null, base: string): string {
  const named = spaceId ?? here
  return treeId === null ? `${base}#${named}` : `${base}#${named}/${treeId}`
}

export interface Place {
  readonly spaceId: string
  readonly treeId: string | null
  /** The server knows the space, so a link to it may name it. */
  readonly isOnServer: boolean
}

/**
 * Shows where the page is in its address: in a new entry of the history, or in place of the present one. The entry of
 * something that lies over the page, such as the drawer in which a chat was chosen, becomes that of the new place.
 */
export function showAddress({ spaceId, treeId, isOnServer }: Place, how: 'push' | 'replace'): void {
  const address = addressOf(isOnServer ? spaceId : null, treeId, appBase().pathname)
  const isThere = `${location.pathname}${location.hash}` === address
  const entry: unknown = history.state
  if (isThere && spaceIn(entry) === spaceId) return
  const layer = layerOf(entry)
  if (how === 'replace' || isThere) history.replaceState({ spaceId, layer }, '', address)
  else if (layer === 0) history.pushState({ spaceId, layer }, '', address)
  else history.replaceState({ spaceId, layer: 0 }, '', address)
}

/** Where the app is: the server writes it into the page's `<base>`, and the API and all files are below it. */
export const appBase = (): URL => new URL('.', document.baseURI)

/**
 * Where the address is on the admin page: `''` for its first section, `people`, or `people/` and an id. Null for every other
 * address. `base` is the path of the app.
 */
export function readAdminPath(location: Pick<Location, 'pathname'>, base: string): string | null {
  if (!location.pathname.startsWith(base)) return null
  const [, path] = /^admin(?:\/(.*?))?\/?$/.exec(location.pathname.slice(base.length)) ?? [null, null]
  return path === null ? null : (path ?? '')
}

/** The address of a place on the admin page. */
export function adminAddress(path: string, base: string): string {
  return path === '' ? `${base}admin` : `${base}admin/${path}`
}

/** Shows in the address where the admin page is, like `showAddress`. */
export function showAdminAddress(path: string, how: 'push' | 'replace'): void {
  const address = adminAddress(path, appBase().pathname)
  if (location.pathname === address && location.hash === '') return
  const layer = layerOf(history.state)
  if (how === 'push' && layer === 0) history.pushState({ layer }, '', address)
  else history.replaceState({ layer: how === 'push' ? 0 : layer }, '', address)
}
