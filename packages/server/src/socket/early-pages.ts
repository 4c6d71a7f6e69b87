import type { Budget } from '../limits/budget.ts'

/** Pages of one user at a time: as many as the user has questions to the storage under way. */
const atOnce = 4

/**
 * Joins whose page is read as the log is opened. It is held until the turn of the join, which may come after the openings of all
 * spaces that the user's devices join at the same time. So few of them are.
 */
export interface EarlyPages {
  /** Begins with a join. The first call of `take` returns whether its page may be read early. */
  begin(budget: Budget): { take(): boolean; end(): void }
}

export function createEarlyPages(): EarlyPages {
  const held = new WeakMap<Budget, number>()
  return {
    begin: (budget) => {
      let isHeld = false
      const count = () => held.get(budget) ?? 0
      return {
        take: () => {
          if (isHeld || count() >= atOnce) return false
          held.set(budget, count() + 1)
          return (isHeld = true)
        },
        end: () => {
          if (isHeld) held.set(budget, count() - 1)
          isHeld = false
        },
      }
    },
  }
}
