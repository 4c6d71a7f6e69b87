import { hash, verify } from '@node-rs/argon2'
import { SyncError } from '@t69/protocol'
import pLimit from 'p-limit'

/** OWASP's first choice for Argon2id (Password Storage Cheat Sheet, 2025): 19 MiB, two passes, one lane. */
export const owaspCost: PasswordCost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

export interface PasswordCost {
  /** KiB. */
  readonly memoryCost: number
  readonly timeCost: number
  readonly parallelism: number
}

/**
 * Hashes that run at once, and hashes that may wait. Each takes 19 MiB and a core for tens of milliseconds, on the thread
 * pool of four that files and name look-ups use too. When the queue is full, a refusal is better than a longer wait.
 * People whom the server knows do not wait behind strangers.
 */
const atOnce = { strangers: 2, known: 1 }
const maxWaiting = 64

export interface Passwords {
  /** Hashes a password in its normal form. Throws `unavailable` when too many wait. */
  hash(password: string): Promise<string>
  /**
   * Checks a password; undefined if it is wrong. Takes as long without an account (`undefined`), or for one without a
   * password (an empty hash), as with one. Throws like `hash`.
   */
  verify(passwordHash: string | undefined, password: string): Promise<PasswordMatch | undefined>
}

export interface PasswordMatch {
  /** The hash is of another form of the password than `hash` makes: it was made before passwords had a normal form. */
  readonly isOutdated: boolean
}

/**
 * The form of a password that is hashed. The same password reaches us in different code points: keyboards write é as
 * one or as two, and input methods write digits and spaces of full width. As RFC 8265 has it for passwords
 * (OpaqueString), every space is the plain one and letter case counts; unlike there, the normal form is NFKC, as NIST SP
 * 800-63B has it, so that width and ligatures do not count.
 */
function normalForm(password: string): string {
  return password.replaceAll(/\p{Zs}/gu, ' ').normalize('NFKC')
}

/** The forms that a hash may have been made of, the normal one first. For most passwords it is the only one. */
function formsOf(password: string): Set<string> {
  return new Set([normalForm(password), password, password.normalize('NFC'), password.normalize('NFD')])
}

export function createPasswords(whose: keyof typeof atOnce, cost: PasswordCost = owaspCost): Passwords {
  const limit = pLimit(atOnce[whose])
  let decoy: Promise<string> | undefined

  function limited<Result>(work: () => Promise<Result>): Promise<Result> {
    if (limit.pendingCount >= maxWaiting) {
      throw new SyncError('unavailable', 'Too many people are signing in: try again in a moment', {
        reason: 'busy',
        retryAfterMs: 2000,
      })
    }
    return limit(work)
  }

  return {
    hash: async (password) => limited(() => hash(normalForm(password), cost)),
    verify: async (passwordHash, password) =>
      limited(async () => {
        decoy ??= hash('nobody has this password', cost)
        const hasNone = passwordHash === undefined || passwordHash === ''
        const against = hasNone ? await decoy : passwordHash
        let isOutdated = false
        for (const form of formsOf(password)) {
          if (await verify(against, form)) return hasNone ? undefined : { isOutdated }
          isOutdated = true
        }
        return undefined
      }),
  }
}
