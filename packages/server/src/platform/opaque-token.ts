import { createHash, randomBytes } from 'node:crypto'

/** A refresh token or an invite's token: 256 random bits, of which the server keeps only a hash. */
export function newOpaqueToken(): string {
  return randomBytes(32).toString('base64url')
}

/** SHA-256, in hex. A random token needs neither salt nor a slow hash. */
export function hashOpaqueToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
