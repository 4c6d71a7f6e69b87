import { memberListSchema, spaceIdSchema } from '@t69/protocol'
import { expect, it } from 'vitest'

import type { Account } from '../account/index.ts'
import { createSpaceSharing } from './space-sharing.ts'

it('a member who joins again while the pages of the list are read is listed once, as they are now', async () => {
  const member = (id: string, role: string, joinedAt: number) => ({
    user: { id: id.repeat(32), email: `${id}@example.org`, name: id },
    role,
    joinedAt,
  })
  const pages = [
    { members: [member('a', 'owner', 1), member('b', 'editor', 2)], next: `2.${'b'.repeat(32)}` },
    { members: [member('c', 'viewer', 3), member('b', 'viewer', 4)] },
  ].map((page) => memberListSchema.parse({ absent: [], ...page }))
  const call = async () => pages.shift()
  const account = { call } as unknown as Account
  const sharing = createSpaceSharing(spaceIdSchema.parse('1'.repeat(32)), account, () => {})
  const members = await sharing.members()
  expect(members.map(({ user, role }) => `${user.name} ${role}`).toSorted()).toEqual([
    'a owner',
    'b viewer',
    'c viewer',
  ])
})
