import type { SpaceId } from '@t69/protocol'

/** How the accounts and the HTTP side tell connected sockets of a change. Each call takes effect before it returns. */
export interface LiveSockets {
  /** Members of the space were added, removed, or given another role. */
  accessChanged(spaceId: SpaceId): void
  spaceDeleted(spaceId: SpaceId): void
  /** The user signed out, or the session was ended because its refresh token was used twice. */
  sessionEnded(sessionId: string): void
}
