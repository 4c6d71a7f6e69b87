export interface TokenBucket {
  /** Takes one; 0 when there was one, else how long until there is, in milliseconds. */
  take(): number
}

/** Lets through `burst` at once and `perSecond` in the long run. */
export function createTokenBucket(perSecond: number, burst: number, now: () => number): TokenBucket {
  let tokens = burst
  let filledAt = now()
  return {
    take: () => {
      const at = now()
      // A clock that is set back fills nothing, and empties nothing either.
      tokens = Math.min(burst, tokens + (Math.max(0, at - filledAt) / 1000) * perSecond)
      filledAt = at
      if (tokens < 1) return Math.ceil(((1 - tokens) / perSecond) * 1000)
      tokens -= 1
      return 0
    },
  }
}
