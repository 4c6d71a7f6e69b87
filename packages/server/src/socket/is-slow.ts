import type { UserConnection } from './user-connection.ts'

/**
 * Whether more waits for a connection than may: than `maxBytes` for itself, or than four times that for all
 * connections of its user, who could else have as much wait as often as they may connect. A connection with
 * little that waits is not made to answer for the others.
 */
export function isSlow({ socket, allowance }: UserConnection, maxBytes: number): boolean {
  const bytes = socket.backlogBytes()
  return bytes > maxBytes || (bytes > maxBytes / 16 && allowance.waitingBytes() > 4 * maxBytes)
}
