import { expect, it } from 'vitest'

import type { SyncClient } from '../api.ts'
import { createPasskeysApi } from './index.ts'

it('A passkey is removed once the server has answered with nothing', async () => {
  const answering = (answer: unknown): SyncClient['call'] => {
    return async (_, reply) => {
      const parsed = reply.safeParse(answer)
      if (!parsed.success) throw new Error('not from a t69 server')
      return parsed.data
    }
  }
  const remove = (answer?: unknown) => {
    const call = answering(answer)
    return createPasskeysApi({ call, callAsNobody: call }).remove('abc', { password: 'correct horse' })
  }
  await remove()
  await expect(remove({})).rejects.toThrow('not from')
})
