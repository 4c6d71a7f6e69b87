import type { ErrorCode } from '@t69/protocol'

/** Counts for the operator. No method throws. */
export interface Metrics {
  /** A transaction begins. The returned function takes the number of committed operations, unless it fails. */
  committing(): (ops: number) => void
  /** An operation was rejected, while its batch was taken. */
  rejected(code: ErrorCode): void
  /** A request was refused. */
  refused(event: string, code: ErrorCode): void
  /** A client's tree was compared with the log. */
  compared(matches: boolean): void
  /** A log turned out to have lost history. */
  historyLost(): void
  /** The file of a space failed. */
  storageFailed(): void
}

export const noMetrics: Metrics = {
  committing: () => () => {},
  rejected: () => {},
  refused: () => {},
  compared: () => {},
  historyLost: () => {},
  storageFailed: () => {},
}
