import type { ErrorCode } from '@t69/protocol'

/** What is counted for whoever runs the server. None of it throws. */
export interface Metrics {
  /** A transaction begins; the answer is called with how many operations it committed. Not at all if it fails. */
  committing(): (ops: number) => void
  /** An operation was not taken, though the rest of its batch was. */
  rejected(code: ErrorCode): void
  /** A request was refused. */
  refused(event: string, code: ErrorCode): void
  /** A client's tree was compared with the log's. */
  compared(matches: boolean): void
  /** A log was found to have lost history. */
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
