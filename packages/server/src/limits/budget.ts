/** Pays for what the server does for somebody, in operations: some 5 µs of a core each. */
export interface Budget {
  /** Throws `rate_limited` while something is owed. */
  checkOperations(): void
  /** Pays for what was done, into debt if need be: often it shows only then what it was. */
  spendOperations(count: number): void
}

export const unlimitedBudget: Budget = { checkOperations: () => {}, spendOperations: () => {} }

/**
 * What things take, in operations, as measured. Values count as well as operations: a page of one large value
 * takes as long as one of two thousand small ones.
 */
export const work = {
  /** Of a space that is not open, and closing another for it. */
  opening: 500,
  /** Of a connection, from the handshake on. */
  connecting: 200,
  /** Operations that are read, decoded, stored, encoded, whose values take so many bytes. */
  operations: (count: number, bytes: number): number => count + bytes / 256,
  /** The same message to many sockets. */
  copies: (sockets: number, bytes: number): number => sockets * (3 + bytes / 4096),
} as const
