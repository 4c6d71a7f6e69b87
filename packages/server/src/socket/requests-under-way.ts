/** Counts the requests that are not answered yet. */
export interface RequestsUnderWay {
  readonly count: number
  /** Counts one more, until the returned function is called. */
  begin(): () => void
  /** Resolves once none is left. */
  finished(): Promise<void>
}

export function createRequestsUnderWay(): RequestsUnderWay {
  let count = 0
  let whenNone = () => {}
  return {
    get count() {
      return count
    },
    begin: () => {
      count++
      return () => {
        count--
        if (count === 0) whenNone()
      }
    },
    finished: async () => {
      if (count > 0) await new Promise<void>((resolve) => (whenNone = resolve))
    },
  }
}
