/** What a user may still have the server do, in operations: about 5 µs of a core each. */
export interface Budget {
  /** Throws `rate_limited` while the user owes operations. */
  checkOperations(): void
  /** Charges for operations, into debt if need be: often the cost is known only afterwards. */
  spendOperations(count: number): void
}

export const unlimitedBudget: Budget = { checkOperations: () => {}, spendOperations: () => {} }

/**
 * Measured costs, in operations. Bytes of values count as well as operations: a page with one large value takes as
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
