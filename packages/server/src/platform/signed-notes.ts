import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

import { z } from 'zod'

/** Notes that a browser keeps for the server. It can read them, and neither make nor change one. */
export interface SignedNotes {
  write(content: object, expiresAt: number): string
  /** Undefined for what this server did not write, and for what is too old. */
  read(note: string, now: number): unknown
}

const noteSchema = z.object({ content: z.unknown(), expiresAt: z.number() })

/** `purpose` keeps a note of one kind from being used for another. Each has a key of its own: the secret signs tokens too. */
export function createSignedNotes(secret: string, purpose: string): SignedNotes {
  const key = Buffer.from(hkdfSync('sha256', secret, '', `t69 notes: ${purpose}`, 32))
  const sign = (text: string): Buffer => createHmac('sha256', key).update(text).digest()

  return {
    write(content, expiresAt) {
      const text = Buffer.from(JSON.stringify({ content, expiresAt })).toString('base64url')
      return `${text}.${sign(text).toString('base64url')}`
    },
    read(note, now) {
      const [text = '', signature = ''] = note.split('.')
      const given = Buffer.from(signature, 'base64url')
      const expected = sign(text)
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
      const { content, expiresAt } = noteSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
      return expiresAt > now ? content : undefined
    },
  }
}
