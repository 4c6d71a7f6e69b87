/** Waits until something holds. Rejects when it takes longer than `seconds`, with what was waited for. */
export async function until(what: string, holds: () => boolean, seconds = 30): Promise<void> {
  const deadline = performance.now() + seconds * 1000
  for (let turn = 0; !holds(); turn++) {
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`)
    // At once at first, so that what is quick is not measured in steps of a timer.
    await (turn < 1_000 ? new Promise(setImmediate) : pause(1))
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
