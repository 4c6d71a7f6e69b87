import type { UserConnection } from './user-connection.ts'

/**
 * Whether too much waits for a connection: more than `maxBytes` for itself, or more than four times that for all
 * connections of its user. Otherwise a user could multiply the limit by opening more connections. A connection for
 * which little waits is not held responsible for the others, up to five times.
 */
export function isSlow({ socket, allowance }: UserConnection, maxBytes: number): boolean {
  const bytes = socket.backlogBytes()
  if (bytes > maxBytes) return true
  const ofUser = allowance.waitingBytes()
  return ofUser > 5 * maxBytes || (bytes > maxBytes / 16 && ofUser > 4 * maxBytes)
}
