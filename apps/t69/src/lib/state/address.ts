/** Where the page is: an invite, or a space and a chat in it, both in the address after `#`. */
export interface Place {
  readonly invite: string | null
  readonly spaceId: string | null
  readonly treeId: string | null
}

export function readAddress(location: Pick<Location, 'pathname' | 'hash'>): Place {
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
