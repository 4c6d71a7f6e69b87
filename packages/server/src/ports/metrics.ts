import type { ErrorCode, SpaceId, UserId } from '@t69/protocol'

/** Counts for the operator. No method throws. */
export interface Metrics {
  /** A transaction begins. The returned function takes the number of committed operations, unless it fails. */
  committing(): (ops: number) => void
  /** An operation was rejected, while its batch was taken. */
  rejected(code: ErrorCode): void
  /** A request over HTTP was answered. `route` is its pattern. */
  answered(route: string, status: number, seconds: number): void
  /** A request on a socket begins. The returned function is called with its ack. */
  asked(event: string): () => void
  /** A request was refused. `event` is that of a socket, or the pattern of a route. */
  refused(event: string, code: ErrorCode): void
  /** A client of this user compared a tree with the log. That it differs is what the client says. */
  compared(matches: boolean, userId: UserId): void
  /** A log lost history: the server saw it, or a client knows a position that the log does not have. */
  historyLost(foundBy: 'server' | 'client'): void
  /** The file of a space failed. */
  storageFailed(spaceId: SpaceId): void
  /** The file of a space was read through. */
  fileRead(result: 'sound' | 'damaged' | 'failed'): void
  /** The machine's clock jumped. */
  clockJumped(): void
  /** A connection was turned away, since no more may be open. */
  connectionDropped(): void
}

export const noMetrics: Metrics = {
  committing: () => () => {},
  rejected: () => {},
  answered: () => {},
  asked: () => () => {},
  refused: () => {},
  compared: () => {},
  historyLost: () => {},
  storageFailed: () => {},
  fileRead: () => {},
  clockJumped: () => {},
  connectionDropped: () => {},
}
