import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  fsyncSync,
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

/** Characters of a secret, at least. */
export const minSecretLength = 32

/** The file of the secret is too short. */
export class SigningSecretError extends Error {
  override readonly name = 'SigningSecretError'
}

/**
 * The secret that signs access tokens, kept in `<dataDir>/signing-secret` (mode 0600) and made at the first start. If
 * it is lost, every client renews its access token once. Throws `SigningSecretError`.
 */
export function readOrMakeSigningSecret(dataDir: string): string {
  const path = join(dataDir, 'signing-secret')
  if (!existsSync(path)) {
    const secret = randomBytes(32).toString('hex')
    writeDurably(path, secret)
    return secret
  }
  // A restored backup may have lost the mode.
  chmodSync(path, 0o600)
  const secret = readFileSync(path, 'utf8').trim()
  if (secret.length < minSecretLength) {
    throw new SigningSecretError(
      `${path} holds fewer than ${minSecretLength} characters: remove it, and a new one is made`,
    )
  }
  return secret
}

/** Writes to another name first, so that a crash does not leave half a secret. */
function writeDurably(path: string, text: string): void {
  const draft = `${path}.new`
  const file = openSync(draft, 'w', 0o600)
  try {
    writeSync(file, `${text}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(draft, path)
}
