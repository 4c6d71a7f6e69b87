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
 * Hashes at once, and hashes that may wait. Each takes 19 MiB and a core for tens of milliseconds, on the thread pool
 * of four that files and name look-ups use too. When the queue is full, a refusal is better than a longer wait.
 */
const maxAtOnce = 2
const maxWaiting = 64

export interface Passwords {
  /** Hashes a password. Throws `unavailable` when too many wait. */
  hash(password: string): Promise<string>
  /** Checks a password. Takes as long without an account (`undefined`) as with one. Throws like `hash`. */
  verify(passwordHash: string | undefined, password: string): Promise<boolean>
}

export function createPasswords(cost: PasswordCost = owaspCost): Passwords {
  const limit = pLimit(maxAtOnce)
  let decoy: Promise<string> | undefined

  function limited<Result>(work: () => Promise<Result>): Promise<Result> {
    if (limit.pendingCount >= maxWaiting) {
      throw new SyncError('unavailable', 'Too many people are signing in: try again in a moment', {
        retryAfterMs: 2000,
      })
    }
    return limit(work)
  }

  return {
    hash: async (password) => limited(() => hash(password, cost)),
    verify: async (passwordHash, password) =>
      limited(async () => {
        decoy ??= hash('nobody has this password', cost)
        const isRight = await verify(passwordHash ?? (await decoy), password)
        return isRight && passwordHash !== undefined
      }),
  }
}
