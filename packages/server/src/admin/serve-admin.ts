import { once } from 'node:events'
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

import { SyncError } from '@t69/protocol'
import { z } from 'zod'

import { errorBodyOf } from '../ports/error-body.ts'
import type { Logger } from '../ports/logger.ts'
import { type Admin, type AdminCall, adminCalls } from './admin-calls.ts'
import { adminSocketOf, maxSocketPath } from './admin-socket.ts'

const callSchema = z.object({
  name: z.string().refine((name): name is AdminCall => name in adminCalls),
  given: z.unknown(),
})

/**
 * Answers the operator's command on a Unix socket in the data directory, which only the user of the server may open. The
 * caller has the directory's lock, so a socket that is there already was left by a server that was killed. Where there can
 * be none (a path that is too long, a file system without sockets), a warning says so, and the server runs without.
 */
export async function serveAdmin(
  dataDir: string,
  admin: Admin,
  logger: Logger,
): Promise<{ close(): Promise<void> }> {
  const path = adminSocketOf(dataDir)
  const server = createServer((request, response) => {
    void respond(request, response)
  })

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body } = await answer(request)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }

  async function answer(request: IncomingMessage): Promise<{ status: number; body: object }> {
    try {
      const parsed = callSchema.safeParse(JSON.parse(await text(request)))
      if (!parsed.success) throw new SyncError('invalid_request', 'this server does not know that command')
      return { status: 200, body: { answer: await call(admin, parsed.data.name, parsed.data.given) } }
    } catch (error) {
      const body = errorBodyOf(error, (bug) => logger.error({ err: bug }, 'a command of the operator failed'))
      return { status: 400, body: { error: body } }
    }
  }

  const nothing = { close: async () => {} }
  if (path.length > maxSocketPath) {
    logger.warn(
      { path },
      'the path of the socket for commands is too long: they work only while nothing runs',
    )
    return nothing
  }
  try {
    rmSync(path, { force: true })
    server.listen(path)
    await once(server, 'listening')
    chmodSync(path, 0o600)
  } catch (error) {
    logger.warn({ err: error, path }, 'there is no socket for commands: they work only while nothing runs')
    server.close()
    return nothing
  }
  return {
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      await closed
    },
  }
}

async function call(admin: Admin, name: AdminCall, given: unknown): Promise<unknown> {
  const parsed = adminCalls[name].given.safeParse(given)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const message = `${issue?.path.join('.') || 'given'}: ${issue?.message ?? 'is wrong'}`
    throw new SyncError('invalid_request', message)
  }
  // The schema is that of the call.
  const run = admin[name] as (given: unknown) => Promise<unknown>
  return run(parsed.data)
}
