import { limits } from '@t69/protocol'

/**
 * How much is sent or asked for at once over a connection that may be very slow. What does not get through in
 * time takes the connection with it, and would be tried again for ever, just as large.
 */
export interface Pace {
  /** How often in a row the connection was lost while something was on its way. */
  readonly lost: number
  /** How often something got through since. */
  readonly kept: number
}

export const fullPace: Pace = { lost: 0, kept: 0 }

const maxLost = 4
/** More is tried again only after so many: it costs a connection to find out that it was too much. */
const keptForMore = 16

export function paceLost({ lost }: Pace): Pace {
  return { lost: Math.min(lost + 1, maxLost), kept: 0 }
}

export function paceKept({ lost, kept }: Pace): Pace {
  // Lost once, it was chance as likely as not, and nothing was made smaller.
  if (lost <= 1) return fullPace
  return kept + 1 < keptForMore ? { lost, kept: kept + 1 } : { lost: lost - 1, kept: 0 }
}

/** A quarter for each loss but the first: 256 kB, 64 kB, 16 kB, 4 kB. */
export function budgetOf({ lost }: Pace): number {
  return Math.max(limits.minPageBytes, limits.batchBudgetBytes / 4 ** Math.max(0, lost - 1))
}
