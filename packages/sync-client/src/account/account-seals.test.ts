import { userIdSchema, type SessionReply } from '@t69/protocol'
import { expect, test } from 'vitest'

import { memoryStorage } from '../storage/memory-storage.ts'
import { createAccountSeals } from './account-seals.ts'

const anna = userIdSchema.parse('aa'.repeat(16))
const other = userIdSchema.parse('bb'.repeat(16))

function replyOf(id: SessionReply['user']['id'], email: string, seal: string): SessionReply {
  return { user: { id, email, name: 'Anna' }, seal, accessToken: '', expiresInMs: 1 }
}

test('the seal with the address that an account had before is dropped once the account has another one', async () => {
  const seals = createAccountSeals(memoryStorage(), { configKey: (name) => name })
  await seals.keep(replyOf(anna, 'anna@example.org', 'old'), true)
  await seals.keep(replyOf(other, 'ben@example.org', "ben's"), true)
  // A renewal brings the new address, which the device did not ask for itself.
  await seals.keep(replyOf(anna, 'anna@home.example', 'new'), false)
  expect(await seals.find('anna@example.org')).toBeUndefined()
  expect(await seals.find('anna@home.example')).toBe('new')
  expect(await seals.all()).toEqual(["ben's", 'new'])
})
