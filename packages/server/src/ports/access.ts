import type { AccessId, RoleName, SpaceId, SpaceIdentity, SpaceSeal, UserId } from '@t69/protocol'

/** Who is a member of which space. Asked on every event, so that a change takes effect at once. */
export interface Access {
  /** The name of the user's role, known or not. Undefined without a membership, and for a space that does not exist. */
  roleOf(spaceId: SpaceId, userId: UserId): RoleName | undefined
}

/** Logs know of removals that the accounts may have forgotten. */
export interface AskedLogs {
  /** To be awaited before a role of this user counts. Opens no log for a stranger. */
  askLog(spaceId: SpaceId, userId: UserId): Promise<void>
}

/** A space as the accounts know it. */
export interface SpaceAccess {
  readonly identity: SpaceIdentity
  readonly name: string
  /** When it was registered, in Unix milliseconds. */
  readonly createdAt: number
  /** Names the present state of its members. */
  readonly accessId: AccessId
}

/** Which space an id names, and in which state its members are: SPEC.md, "Identity". */
export interface SpaceAccessLists {
  /** Undefined for a space that does not exist. */
  of(spaceId: SpaceId): SpaceAccess | undefined
  /** Whether the space has ever had this access id here. */
  knows(spaceId: SpaceId, accessId: AccessId): boolean
  /** The present list, sealed. Throws `not_found` for a space that does not exist. */
  seal(spaceId: SpaceId): SpaceSeal
}
