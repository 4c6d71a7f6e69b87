import { fastify } from 'fastify'
import { expect, it } from 'vitest'

import { handleError } from './error-handler.ts'

it.each([
  { code: 'SQLITE_FULL', message: 'database or disk is full', told: 'database or disk is full' },
  { code: 'SQLITE_READONLY', message: 'attempt to write a readonly database', told: 'readonly database' },
  { code: 'EROFS', message: "EROFS: read-only file system, open '/srv/t69/x.db'", told: 'EROFS' },
])('says what a disk does that fails with $code, and no paths', async ({ code, message, told }) => {
  const reply = await replyAfter(Object.assign(new Error(message), { code }))

  expect(reply.statusCode).toBe(503)
  expect(reply.json()).toMatchObject({
    error: {
      code: 'storage_failed',
      message: expect.stringMatching(`^the server cannot use its storage: .*${told}$`),
    },
  })
})

it('tells nothing of a constraint, which is a bug and not a disk', async () => {
  const reply = await replyAfter(
    Object.assign(new Error('UNIQUE constraint failed: users.email'), { code: 'SQLITE_CONSTRAINT_UNIQUE' }),
  )

  expect(reply.statusCode).toBe(500)
  expect(reply.json()).toEqual({
    error: { code: 'internal', message: 'the server failed; it has been logged' },
  })
})

async function replyAfter(error: Error) {
  const http = fastify()
  http.setErrorHandler(handleError)
  http.get('/', () => {
    throw error
  })
  return await http.inject({ method: 'GET', url: '/' })
}
