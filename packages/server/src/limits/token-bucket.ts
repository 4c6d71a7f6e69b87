export interface Rate {
  readonly perSecond: number
  /** How much may be taken at once. */
  readonly burst: number
}

export interface TokenBucket {
  /** Takes one token, and returns 0. Otherwise returns how many milliseconds it has to wait for one. */
  take(): number
  /** Takes `count` tokens, into debt if need be: for a cost that is known only afterwards. */
  spend(count: number): void
  /** How many milliseconds `take` has to wait; 0 when it would succeed now. */
  waitMs(): number
  /** How many tokens are owed; 0 without debt. */
  readonly debt: number
  readonly isFull: boolean
}

/** A bucket that lets `burst` through at once, and `perSecond` in the long run. */
export function createTokenBucket({ perSecond, burst }: Rate, monotonic: () => number): TokenBucket {
  let tokens = burst
  let filledAt = monotonic()

  function fill(): void {
    const at = monotonic()
    // A clock that is set back neither fills nor empties the bucket.
    tokens = Math.min(burst, tokens + (Math.max(0, at - filledAt) / 1000) * perSecond)
    filledAt = at
  }

  function waitMs(): number {
    fill()
    return tokens < 1 ? Math.ceil(((1 - tokens) / perSecond) * 1000) : 0
  }

  return {
    waitMs,
    take: () => {
      const wait = waitMs()
      if (wait === 0) tokens -= 1
      return wait
    },
    spend: (count) => {
      fill()
      tokens -= count
    },
    get debt() {
      fill()
      return Math.max(0, -tokens)
    },
    get isFull() {
      fill()
      return tokens >= burst
    },
  }
}
