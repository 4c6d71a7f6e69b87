import { SyncError } from '@t69/protocol'

/**
 * Checks the address of a server, which may have a path: `https://example.org/t69`. Throws `invalid_request` for
 * anything else. A query or a fragment means nothing to a server's address, and is left out.
 */
export function parseServerUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    const example = 'https://sync.example.org'
    throw new SyncError('invalid_request', `"${url}" is not the address of a server, such as ${example}`, {
      at: 'url',
    })
  }
  parsed.search = ''
  parsed.hash = ''
  parsed.pathname = parsed.pathname.replace(/\/*$/, '/')
  return parsed
}

/** The URL of a path such as `/api/spaces` on a server, below the server's own path. */
export const onServer = (url: string, path: string): URL => new URL(`.${path}`, parseServerUrl(url))
