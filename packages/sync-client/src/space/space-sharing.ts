import {
  inviteIdSchema,
  inviteListSchema,
  inviteSchema,
  memberListSchema,
  memberSchema,
  userIdSchema,
  type SpaceId,
} from '@t69/protocol'

import { noReply, readPages, type Account } from '../account/index.ts'
import type { Space } from '../api.ts'
import { parseInput } from '../runtime/index.ts'

export type SpaceSharing = Pick<
  Space,
  'members' | 'changeRole' | 'removeMember' | 'invite' | 'invites' | 'withdrawInvite'
>

/**
 * The members and the invite links of a space. Each call asks the server. `ensureThisSpace` throws while another space has
 * the place of this one there.
 */
export function createSpaceSharing(
  spaceId: SpaceId,
  account: Account,
  ensureThisSpace: () => void,
): SpaceSharing {
  const call: Account['call'] = async (...args) => {
    ensureThisSpace()
    return account.call(...args)
  }
  const path = (rest: string): string => `/api/spaces/${spaceId}${rest}`
  // Text that is no id, such as "..", could lead to another path.
  const memberPath = (userId: string): string =>
    path(`/members/${parseInput(userIdSchema, userId, 'userId')}`)
  return {
    async members() {
      const pages = await readPages(call, path('/members'), memberListSchema)
      const listed = pages.flatMap(({ members }) => members)
      // Whoever was removed and joined again between two pages is on both, and counts as on the later.
      return Array.from(new Map(listed.map((member) => [member.user.id, member])).values())
    },
    async changeRole(userId, role) {
      await call({ method: 'PATCH', path: memberPath(userId), body: { role } }, memberSchema)
    },
    async removeMember(userId) {
      await call({ method: 'DELETE', path: memberPath(userId) }, noReply)
    },
    invite: (role) => call({ method: 'POST', path: path('/invites'), body: { role } }, inviteSchema),
    invites: async () =>
      (await readPages(call, path('/invites'), inviteListSchema)).flatMap(({ invites }) => invites),
    async withdrawInvite(inviteId) {
      const id = parseInput(inviteIdSchema, inviteId, 'inviteId')
      await call({ method: 'DELETE', path: path(`/invites/${id}`) }, noReply)
    },
  }
}
