/** Work that is done in steps, of some 20 ms each at most: whoever does it may do something else after each. */
export type Steps<Result> = Generator<undefined, Result>

/** Does all of the work at once. */
export function finish<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
