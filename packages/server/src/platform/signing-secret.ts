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

export const minSecretLength = 32

/** The file is there and holds no secret. */
export class SigningSecretError extends Error {
  override readonly name = 'SigningSecretError'
}

/**
 * The secret that signs access tokens, kept in `<dataDir>/signing-secret` (mode 0600), made at the first
 * start. Losing it only means that everyone's access token is renewed once. Throws `SigningSecretError`.
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

/** Under a name of its own first: a crash in between must not leave half a secret. */
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
