/** What the page's address names: an invite in its path, or, after `#`, a space and a chat in it. */
export interface PageAddress {
  readonly invite: string | null
  readonly spaceId: string | null
  readonly treeId: string | null
}

/** `base` is the path of the app, with a slash at the end: see `appBase`. */
export function readAddress(location: Pick<Location, 'pathname' | 'hash'>, base: string): PageAddress {
  const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : ''
  const invite = /^invite\/([^/]+)\/?$/.exec(path)?.[1] ?? null
  const [spaceId = '', treeId = ''] = location.hash.slice(1).split('/')
  return { invite, spaceId: idOrNull(spaceId), treeId: idOrNull(treeId) }
}

function idOrNull(text: string): string | null {
  return /^[0-9A-Za-z_-]{1,64}$/.test(text) ? text : null
}

export function addressOf(spaceId: string, treeId: string | null, base: string): string {
  return treeId === null ? `${base}#${spaceId}` : `${base}#${spaceId}/${treeId}`
}

/** Where the app is: the server writes it into the page's `<base>`, and the API and all files are below it. */
export const appBase = (): URL => new URL('.', document.baseURI)
