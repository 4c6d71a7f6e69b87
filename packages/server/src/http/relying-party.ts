import { isIP } from 'node:net'

/** For whom browsers keep passkeys of this server. */
export interface RelyingParty {
  /** The host name. */
  readonly rpId: string
  readonly origin: string
}

/**
 * Follows from `PUBLIC_URL`: what a request says of the server's address is the word of whoever asks. Undefined without it, and where
 * browsers have no passkeys: at an address without a name, and over plain HTTP but for this machine.
 */
export function relyingPartyOf(publicUrl: string | undefined): RelyingParty | undefined {
  if (publicUrl === undefined) return undefined
  const { protocol, hostname, origin } = new URL(publicUrl)
  const isLocal = hostname === 'localhost' || hostname.endsWith('.localhost')
  if (protocol !== 'https:' && !isLocal) return undefined
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return undefined
  return { rpId: hostname, origin }
}
