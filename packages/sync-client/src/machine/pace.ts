import { limits } from '@t69/protocol'

/**
 * How much is sent or asked for at once over a connection that may be very slow. A message that does not get through
 * in time costs the connection, and would otherwise be tried again forever at the same size.
 */
export interface Pace {
  /** How often in a row the connection was lost while a message was under way. */
  readonly lost: number
  /** How many messages have got through since. */
  readonly kept: number
}

export const fullPace: Pace = { lost: 0, kept: 0 }

/** The most losses that count. At 4, the budget is down to the smallest page. */
const maxLost = 4
/** Messages that must get through before a larger one is tried: finding out that it is too large costs a connection. */
const keptForMore = 16

export function paceLost({ lost }: Pace): Pace {
  return { lost: Math.min(lost + 1, maxLost), kept: 0 }
}

export function paceKept({ lost, kept }: Pace): Pace {
  // A single loss may be chance, and nothing was made smaller after it.
  if (lost <= 1) return fullPace
  return kept + 1 < keptForMore ? { lost, kept: kept + 1 } : { lost: lost - 1, kept: 0 }
}

/** Returns how much to send at once, in bytes: a quarter for each loss after the first. 256, 64, 16, 4 KiB. */
export function budgetOf({ lost }: Pace): number {
  return Math.max(limits.minPageBytes, limits.batchBudgetBytes / 4 ** Math.max(0, lost - 1))
}
