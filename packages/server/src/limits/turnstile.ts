/** Lets a few through at once. The others wait, in the order in which they came. */
export interface Turnstile {
  /** Runs at once if there is room, in the turn of the caller. */
  run<Result>(work: () => Promise<Result>): Promise<Result>
  /** Waits for a place, until the returned function is called. */
  enter(): Promise<() => void>
}

export function createTurnstile(atOnce: number): Turnstile {
  let inside = 0
  const waiting: (() => void)[] = []

  /** Undefined if there is a place. */
  function wait(): Promise<void> | undefined {
    if (inside >= atOnce) return new Promise<void>((resolve) => waiting.push(resolve))
    inside++
    return undefined
  }

  function leave(): void {
    const next = waiting.shift()
    // The place is handed on.
    if (next === undefined) inside--
    else next()
  }

  return {
    run: async (work) => {
      const place = wait()
      if (place !== undefined) await place
      try {
        return await work()
      } finally {
        leave()
      }
    },
    enter: async () => {
      await wait()
      let isInside = true
      return () => {
        if (isInside) leave()
        isInside = false
      }
    },
  }
}
