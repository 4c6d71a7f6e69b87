import { userIdSchema } from '@t69/protocol'
import { expect, it } from 'vitest'

import { lostAccountText } from './lost-account-text.ts'

const user = (letter: string, name: string) => ({
  id: userIdSchema.parse(letter.repeat(32)),
  email: 'anna@example.org',
  name,
})
const space = (name: string) => ({ id: 'c'.repeat(32), name }) as never

it('names both accounts, and how many spaces there are', () => {
  const spaces = [space('Diary'), space('Work')]
  expect(lostAccountText({ user: user('a', 'Anna'), spaces }, user('b', 'Anna B.'))).toBe(
    'This device keeps 2 spaces of an earlier account, “Anna” (anna@example.org). The server has lost that account. ' +
      'You are signed in with another one, “Anna B.” (anna@example.org).',
  )
})

it('names an account by its address where no name was kept', () => {
  expect(lostAccountText({ user: user('a', ''), spaces: [space('Diary')] }, user('b', 'Anna'))).toContain(
    'keeps a space of an earlier account, “anna@example.org”.',
  )
})
