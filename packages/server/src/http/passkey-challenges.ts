import { randomBytes } from 'node:crypto'

import { randomHexId, SyncError, userIdSchema } from '@t69/protocol'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'

import { createSignedNotes } from '../platform/signed-notes.ts'

/** How long somebody may take to answer a challenge, in ms. */
export const challengeMs = 5 * 60_000
/** Challenges that were answered, as many as are remembered. Each took a passkey of an account here. */
const maxAnswered = 10_000

const whySchema = z.discriminatedUnion('purpose', [
  z.object({ purpose: z.literal('sign-in') }),
  z.object({ purpose: z.enum(['confirm', 'add']), userId: userIdSchema, sessionId: z.string() }),
])
/** What a passkey is asked for. All but signing in is for one session of one account. */
export type ChallengePurpose = z.output<typeof whySchema>

const challengeSchema = z.object({ id: z.string(), why: whySchema })

/**
 * Challenges for passkeys. A challenge is a note that only this process can have signed, so that those which nobody answers take no
 * memory, and nobody pushes out those of others by asking for many.
 */
export interface PasskeyChallenges {
  make(why: ChallengePurpose): string
  /**
   * Checks an answer by `check`, which is handed whether a challenge (base64url, as it comes back) was made for this purpose. An
   * answer that holds uses the challenge up. Throws what `check` throws, and `forbidden` for a challenge that was used.
   */
  answer<Result>(
    why: ChallengePurpose,
    check: (isExpected: (challenge: string) => boolean) => Promise<Result>,
  ): Promise<Result>
}

export function createPasskeyChallenges(now: () => number): PasskeyChallenges {
  const notes = createSignedNotes(randomBytes(32).toString('hex'), 'challenges for passkeys')
  const answered = new LRUCache<string, true>({ max: maxAnswered })

  return {
    make: (why) => notes.write({ id: randomHexId(), why }, now() + challengeMs),
    async answer(why, check) {
      let id: string | undefined
      const result = await check((text) => {
        const note = notes.read(Buffer.from(text, 'base64url').toString(), now())
        const challenge = challengeSchema.safeParse(note).data
        if (challenge === undefined || !isSame(challenge.why, why)) return false
        ;({ id } = challenge)
        return true
      })
      // After all that takes a while: of two answers at once, one counts.
      if (id === undefined || answered.has(id)) {
        throw new SyncError('forbidden', 'That took too long, or was done already: begin again', {
          reason: 'too_late',
        })
      }
      answered.set(id, true)
      return result
    },
  }
}

function isSame(a: ChallengePurpose, b: ChallengePurpose): boolean {
  if (a.purpose === 'sign-in' || b.purpose === 'sign-in') return a.purpose === b.purpose
  return a.purpose === b.purpose && a.userId === b.userId && a.sessionId === b.sessionId
}
