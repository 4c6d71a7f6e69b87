import type { Role, SpaceId, UserId } from '@t69/protocol'

/** Who may do what in a space, asked on every event: membership changes at once. */
export interface Access {
  /** Undefined for everyone who is not a member, and for spaces that do not exist. */
  roleOf(spaceId: SpaceId, userId: UserId): Role | undefined
}
