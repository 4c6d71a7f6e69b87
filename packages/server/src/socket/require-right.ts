import { type Right, rightsOf, type RoleName, type SpaceId, SyncError } from '@t69/protocol'

import type { Access } from '../ports/access.ts'
import type { Rooms } from './rooms.ts'
import type { UserConnection } from './user-connection.ts'

interface RightCheck {
  readonly access: Access
  readonly rooms: Rooms
}

/**
 * Checks a right by the user's role as it is now, and returns the role. Throws `not_found` without a membership: a
 * stranger does not learn whether the space exists. Throws `forbidden` when the role lacks the right. A user who
 * may not read leaves the room before it throws. Throws `unavailable` when the connection is over: it may have ended
 * while a request waited.
 */
export function requireRight(
  { access, rooms }: RightCheck,
  connection: UserConnection,
  spaceId: SpaceId,
  right: Right,
): RoleName {
  if (connection.isOver) throw new SyncError('unavailable', 'the connection is over')
  const role = access.roleOf(spaceId, connection.data.userId)
  const rights = rightsOf(role)
  if (!rights.read) rooms.expel(connection, spaceId, role === undefined ? 'removed' : 'changed')
  if (role === undefined) throw new SyncError('not_found', 'there is no such space, or you are not a member')
  if (!rights[right]) {
    const message = `the role ${role} may not ${right} in this space`
    throw new SyncError('forbidden', message, { reason: 'role' })
  }
  return role
}

/** Checks a right like `requireRight`, of a socket that is in the space. Throws `not_joined` as well. */
export function requireRightInJoined(
  check: RightCheck,
  connection: UserConnection,
  spaceId: SpaceId,
  right: Right,
): void {
  if (!connection.joined.has(spaceId)) throw new SyncError('not_joined', 'join the space first')
  requireRight(check, connection, spaceId, right)
}
