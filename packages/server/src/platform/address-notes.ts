import { createHmac, hkdfSync } from 'node:crypto'

/**
 * Returns the note of an address: what stays of the address of a deleted account. Equal addresses have equal notes. Without
 * the signing secret, nobody can tell an address by its note, or make the note of an address to compare.
 */
export type NoteOfAddress = (email: string) => string

export function createAddressNotes(secret: string): NoteOfAddress {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 't69 address notes', 32))
  return (email) => createHmac('sha256', key).update(email).digest('base64url')
}
