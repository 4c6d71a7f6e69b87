/** What the page's address names: an invite in its path, or, after `#`, a space and a chat in it. */
export interface PageAddress {
  readonly invite: string | null
  readonly spaceId: string | null
  readonly treeId: string | null
}

export function readAddress(location: Pick<Location, 'pathname' | 'hash'>): PageAddress {
  const invite = /^\/invite\/([^/]+)\/?$/.exec(location.pathname)?.[1] ?? null
  const [spaceId = '', treeId = ''] = location.hash.slice(1).split('/')
  return { invite, spaceId: idOrNull(spaceId), treeId: idOrNull(treeId) }
}

function idOrNull(text: string): string | null {
  return /^[0-9A-Za-z_-]{1,64}$/.test(text) ? text : null
}

export function addressOf(spaceId: string, treeId: string | null): string {
  return treeId === null ? `/#${spaceId}` : `/#${spaceId}/${treeId}`
}
