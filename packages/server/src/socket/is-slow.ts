import type { UserConnection } from './user-connection.ts'

/**
 * Whether too much waits for a connection: more than `maxBytes` for itself, or more than four times that for all
 * connections of its user. Otherwise a user could multiply the limit by opening more connections. A connection for
 * which little waits is not held responsible for the others.
 */
export function isSlow({ socket, allowance }: UserConnection, maxBytes: number): boolean {
  const bytes = socket.backlogBytes()
  return bytes > maxBytes || (bytes > maxBytes / 16 && allowance.waitingBytes() > 4 * maxBytes)
}
