import { describe, expect, it } from 'vitest'

import type { ServerCall } from '../api.ts'
import { createAdminApi } from './index.ts'

const id = 'a'.repeat(32)
const proof = { password: 'correct horse' }

/** The calls that are made, all of which are answered with the same. */
function setUp(answer?: unknown) {
  const calls: ServerCall[] = []
  const api = createAdminApi({
    call: async (call, reply) => {
      calls.push(call)
      const parsed = reply.safeParse(answer)
      if (!parsed.success) throw new Error('not from a t69 server')
      return parsed.data
    },
  })
  return { api, calls }
}

describe('The calls of an admin', () => {
  it('take no text for an id that could lead to another path', async () => {
    const { api, calls } = setUp()
    const refused = { code: 'invalid_request', body: { at: 'id' } }
    for (const wrong of ['', '..', `../spaces/${id}`, `${id}/delete?`]) {
      await expect(api.user(wrong)).rejects.toMatchObject(refused)
      await expect(api.setRole(wrong, 'admin', proof)).rejects.toMatchObject(refused)
      await expect(api.passwordLink(wrong, proof)).rejects.toMatchObject(refused)
      await expect(api.signOut(wrong)).rejects.toMatchObject(refused)
      await expect(api.deleteUser(wrong, proof)).rejects.toMatchObject(refused)
      await expect(api.space(wrong)).rejects.toMatchObject(refused)
      await expect(api.deleteSpace(wrong, proof)).rejects.toMatchObject(refused)
      await expect(api.withdrawInvite(wrong)).rejects.toMatchObject(refused)
    }
    expect(calls).toEqual([])
  })

  it('that are answered with nothing take nothing else for their answer', async () => {
    const { api, calls } = setUp()
    const inviteId = 'b'.repeat(64)
    await api.signOut(id)
    await api.deleteUser(id, proof)
    await api.deleteSpace(id, proof)
    await api.withdrawInvite(inviteId)
    expect(calls.map(({ path }) => path)).toEqual([
      `/api/admin/users/${id}/sign-out`,
      `/api/admin/users/${id}/delete`,
      `/api/admin/spaces/${id}/delete`,
      `/api/admin/invites/${inviteId}`,
    ])
    const behind = setUp({}).api
    await expect(behind.signOut(id)).rejects.toThrow('not from')
    await expect(behind.deleteUser(id, proof)).rejects.toThrow('not from')
    await expect(behind.deleteSpace(id, proof)).rejects.toThrow('not from')
    await expect(behind.withdrawInvite(inviteId)).rejects.toThrow('not from')
  })

  it('give a role once the server answers with whose it is', async () => {
    const user = { id, email: 'ben@example.org', name: 'Ben', role: 'admin', createdAt: 1 }
    await setUp({ ...user, sessions: 0, lastUsedAt: null, spaces: 0 }).api.setRole(id, 'admin', proof)
    await expect(setUp().api.setRole(id, 'admin', proof)).rejects.toThrow('not from')
  })
})
