/** What merging takes at most for each operation where nobody makes it dear, with room for a slow phone. */
const fairMsPerOp = 0.1
/** What is no matter once, whatever was merged: a quarter of a frame. */
const fairMs = 4
/** Of the time, merging then takes one part in five. */
const restFactor = 4
/** More was no merge: the device slept in the midst of it, or its clock was set. */
const maxTookMs = 2_000

/**
 * How long to let be before the next merge, in milliseconds. Moves that lie before all that a tree has are valid,
 * and each takes as long as the tree is large. Whoever sends them one by one must not get all of a device's time;
 * what gathers meanwhile is merged together, at a hundredth of the cost.
 */
export function restAfterMs(tookMs: number, ops: number): number {
  return tookMs > fairMs + ops * fairMsPerOp ? Math.min(tookMs, maxTookMs) * restFactor : 0
}
