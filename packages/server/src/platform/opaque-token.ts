import { createHash, randomBytes } from 'node:crypto'

/** Refresh tokens and invites: 256 random bits, of which the server keeps a hash only. */
export function newOpaqueToken(): string {
  return randomBytes(32).toString('base64url')
}

/** Plain SHA-256: what is random enough needs neither salt nor a slow hash. */
export function hashOpaqueToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
