/** Expected cost of merging one operation, in ms. Generous enough for a slow phone. */
const fairMsPerOp = 0.1
/** A merge this short needs no rest, however few operations it had, in ms: a quarter of a frame. */
const fairMs = 4
/** Rest for each ms of a slow merge, in ms. Merging then takes a fifth of the time. */
const restFactor = 4
/** The longest merge time that counts, in ms. Beyond it, the device slept during the merge, or its clock was set. */
const maxTookMs = 2_000

/**
 * Returns how long to rest before the next merge, in ms. Moves that sort before everything a tree has are valid, and
 * merging one takes time in proportion to the tree. A client that sends them one by one must not take all of a
 * device's time. Operations that gather during the rest are merged together, at a hundredth of the cost.
 */
export function restAfterMs(tookMs: number, ops: number): number {
  return tookMs > fairMs + ops * fairMsPerOp ? Math.min(tookMs, maxTookMs) * restFactor : 0
}
