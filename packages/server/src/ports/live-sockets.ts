import type { SpaceId, UserId } from '@t69/protocol'

/** How the HTTP side tells connected sockets of a change. Each call takes effect before it returns. */
export interface LiveSockets {
  /** A member was added, removed, or given another role. */
  memberChanged(spaceId: SpaceId, userId: UserId): void
  spaceDeleted(spaceId: SpaceId): void
  /** The user signed out, or the session was ended because its refresh token was used twice. */
  sessionEnded(sessionId: string): void
}
