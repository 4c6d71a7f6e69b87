import type { UserId } from '@t69/protocol'

/** What a user may still have the server do, in operations: about 5 µs of a core each. */
export interface Budget {
  /** Who pays; undefined for the server itself. */
  readonly payer: UserId | undefined
  /** Throws `rate_limited` while the user owes operations. */
  checkOperations(): void
  /** Charges for operations, into debt if need be: often the cost is known only afterwards. */
  spendOperations(count: number): void
  /** Asks the storage for something: a few of one user's questions are under way at once, the others wait in their order. */
  inTurn<Result>(ask: () => Promise<Result>): Promise<Result>
}

export const unlimitedBudget: Budget = {
  payer: undefined,
  checkOperations: () => {},
  spendOperations: () => {},
  inTurn: (ask) => ask(),
}

/** The budget for what was checked and charged before: it goes on, though its own cost may have used up what was left. */
export function prepaid(budget: Budget): Budget {
  return {
    payer: budget.payer,
    checkOperations: () => {},
    spendOperations: (count) => budget.spendOperations(count),
    inTurn: (ask) => budget.inTurn(ask),
  }
}

/** Operations that a millisecond of a core is worth. */
export const operationsPerMs = 200

/**
 * Prices, in operations. They are charged in advance, so that many requests at once do not get past the limit; the time that
 * the work then takes beyond them is charged as well. Bytes of values count as well as operations: a page with one large value takes as
 * long as one with two thousand small ones.
 */
export const costs = {
  /** Opening a space, and closing another one for it. */
  openingSpace: 500,
  /** Connecting a socket, from the handshake on. */
  connecting: 200,
  /** Reading, decoding, storing or encoding `count` operations with `bytes` of values. */
  operations: (count: number, bytes: number): number => count + bytes / 256,
  /** Sending one message of `bytes` to `sockets`. */
  copies: (sockets: number, bytes: number): number => sockets * (3 + bytes / 4096),
} as const
