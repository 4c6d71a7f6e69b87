import {
  type Right,
  rightsOf,
  type RoleName,
  rolesWith,
  type SpaceId,
  SyncError,
  type UserId,
} from '@t69/protocol'

import type { Access } from '../ports/access.ts'

interface Caller {
  readonly userId: UserId
}

/** The caller's role. Throws `not_found` without a membership: a stranger does not learn whether the space exists. */
export function requireMember(access: Access, spaceId: SpaceId, { userId }: Caller): RoleName {
  const role = access.roleOf(spaceId, userId)
  if (role === undefined) throw new SyncError('not_found', 'No such space')
  return role
}

/** Checks a right by the caller's role as it is now. Throws `forbidden`, and `not_found` like `requireMember`. */
export function requireRight(access: Access, spaceId: SpaceId, caller: Caller, right: Right): void {
  const role = requireMember(access, spaceId, caller)
  if (rightsOf(role)[right]) return
  const message = `This takes the role ${rolesWith(right).join(' or ')}, and yours is ${role}`
  throw new SyncError('forbidden', message, { reason: 'role' })
}
