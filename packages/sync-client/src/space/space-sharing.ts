import {
  inviteIdSchema,
  inviteListSchema,
  inviteSchema,
  memberListSchema,
  userIdSchema,
  type SpaceId,
} from '@t69/protocol'

import { noReply, type Account } from '../account/index.ts'
import type { Space } from '../api.ts'
import { parseInput } from '../runtime/index.ts'

export type SpaceSharing = Pick<
  Space,
  'members' | 'changeRole' | 'removeMember' | 'invite' | 'invites' | 'withdrawInvite'
>

/** The members and the invite links of a space. Each call asks the server. */
export function createSpaceSharing(spaceId: SpaceId, account: Account): SpaceSharing {
  const path = (rest: string): string => `/api/spaces/${spaceId}${rest}`
  // Text that is no id, such as "..", could lead to another path.
  const memberPath = (userId: string): string =>
    path(`/members/${parseInput(userIdSchema, userId, 'userId')}`)
  return {
    members: async () =>
      (await account.call({ method: 'GET', path: path('/members') }, memberListSchema)).members,
    async changeRole(userId, role) {
      await account.call({ method: 'PATCH', path: memberPath(userId), body: { role } }, noReply)
    },
    async removeMember(userId) {
      await account.call({ method: 'DELETE', path: memberPath(userId) }, noReply)
    },
    invite: (role) => account.call({ method: 'POST', path: path('/invites'), body: { role } }, inviteSchema),
    invites: async () =>
      (await account.call({ method: 'GET', path: path('/invites') }, inviteListSchema)).invites,
    async withdrawInvite(inviteId) {
      const id = parseInput(inviteIdSchema, inviteId, 'inviteId')
      await account.call({ method: 'DELETE', path: path(`/invites/${id}`) }, noReply)
    },
  }
}
