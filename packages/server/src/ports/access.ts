import type { RoleName, SpaceId, UserId } from '@t69/protocol'

/** Who is a member of which space. Asked on every event, so that a change takes effect at once. */
export interface Access {
  /** The name of the user's role, known or not. Undefined without a membership, and for a space that does not exist. */
  roleOf(spaceId: SpaceId, userId: UserId): RoleName | undefined
}
