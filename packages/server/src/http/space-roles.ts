import { SyncError, type Role, type SpaceId, type UserId } from '@t69/protocol'

import type { Access } from '../ports/access.ts'

/** The caller's role. Throws `not_found` for everyone else: that a space exists is nobody else's business. */
export function memberRole(access: Access, spaceId: SpaceId, userId: UserId): Role {
  const role = access.roleOf(spaceId, userId)
  if (role === undefined) throw new SyncError('not_found', 'No such space')
  return role
}

/** Throws `forbidden` unless the role is one of those. */
export function requireRole(role: Role, ...allowed: readonly Role[]): void {
  if (allowed.includes(role)) return
  throw new SyncError('forbidden', `This takes the role ${allowed.join(' or ')}, and yours is ${role}`)
}
