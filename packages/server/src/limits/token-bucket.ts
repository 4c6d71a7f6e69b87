export interface Rate {
  readonly perSecond: number
  /** How much may come at once. */
  readonly burst: number
}

export interface TokenBucket {
  /** Takes one; 0 when there was one, else how long until there is, in milliseconds. */
  take(): number
  /** Takes as many as something turned out to cost, into debt if need be. */
  spend(count: number): void
  /** How long until `take` succeeds, in milliseconds; 0 when it would now. */
  waitMs(): number
  /** How many are lacking to none; 0 for who owes nothing. */
  readonly debt: number
  readonly isFull: boolean
}

/** Lets through `burst` at once and `perSecond` in the long run. */
export function createTokenBucket({ perSecond, burst }: Rate, now: () => number): TokenBucket {
  let tokens = burst
  let filledAt = now()

  function fill(): void {
    const at = now()
    // A clock that is set back fills nothing, and empties nothing either.
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
