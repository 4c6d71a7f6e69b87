import { once } from 'node:events'
import { type ClientRequest, request } from 'node:http'
import { json } from 'node:stream/consumers'

import { errorBodySchema, SyncError } from '@t69/protocol'
import { z } from 'zod'

import { type Admin, type AdminAnswer, type AdminCall, adminCalls, type AdminGiven } from './admin-calls.ts'
import { adminSocketOf, maxSocketPath } from './admin-socket.ts'

const replySchema = z.union([z.object({ answer: z.unknown() }), z.object({ error: errorBodySchema })])

function parseAnswer(schema: z.ZodType, answer: unknown): unknown {
  const parsed = schema.safeParse(answer)
  if (parsed.success) return parsed.data
  const message = 'the running server is of another version than this command: use the command of that server'
  throw new SyncError('unsupported_version', message)
}

/** How long a server may take to say that it is there, in ms. What a command asks for afterwards takes as long as it takes. */
const greetingMs = 10_000

/**
 * The running server of a data directory, asked through its socket. Undefined if none listens there. Throws `unavailable` for one
 * that listens and does not answer, or that ends before it has.
 */
export async function askAdmin(dataDir: string, waitMs = greetingMs): Promise<Admin | undefined> {
  const socketPath = adminSocketOf(dataDir)
  if (socketPath.length > maxSocketPath) return undefined

  async function send(name: AdminCall, given: unknown, signal?: AbortSignal): Promise<unknown> {
    const asked = request({ socketPath, method: 'POST', path: '/', agent: false, ...(signal && { signal }) })
    asked.end(JSON.stringify({ name, given }))
    const reply = replySchema.parse(await replyTo(asked))
    if ('error' in reply) throw SyncError.from(reply.error)
    return reply.answer
  }

  const ask =
    <Name extends AdminCall>(name: Name) =>
    async (given: AdminGiven<Name>): Promise<AdminAnswer<Name>> =>
      // The schema is that of the call.
      parseAnswer(adminCalls[name].answer, await send(name, given)) as AdminAnswer<Name>

  const admin: Admin = {
    status: ask('status'),
    tidy: ask('tidy'),
    'users list': ask('users list'),
    'users show': ask('users show'),
    'users create': ask('users create'),
    'users invite': ask('users invite'),
    'users set-role': ask('users set-role'),
    'users password-link': ask('users password-link'),
    'users reset-password': ask('users reset-password'),
    'users sign-out': ask('users sign-out'),
    'users delete': ask('users delete'),
    'registration show': ask('registration show'),
    'registration choose': ask('registration choose'),
    'spaces list': ask('spaces list'),
    'spaces show': ask('spaces show'),
    'spaces export': ask('spaces export'),
    'spaces import': ask('spaces import'),
    'spaces delete': ask('spaces delete'),
  }
  try {
    await send('status', {}, AbortSignal.timeout(waitMs))
    return admin
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
    if (code === 'ABORT_ERR') {
      const message = `the server in ${dataDir} runs, and has not answered for ${waitMs / 1000} seconds: it hangs, or has too much to do`
      throw new SyncError('unavailable', message)
    }
    if (code === 'EACCES' || code === 'EPERM') {
      const message = `only the user of the server, and root, may give it commands (${socketPath}): become one of them`
      throw new SyncError('forbidden', message, { reason: 'not_admin' })
    }
    throw error
  }
}

async function replyTo(asked: ClientRequest): Promise<unknown> {
  try {
    const [response] = await once(asked, 'response')
    return await json(response)
  } catch (error) {
    if (codeOf(error) !== 'ECONNRESET') throw error
    const message = 'the server ended before it answered: look whether it was done before you repeat it'
    throw new SyncError('unavailable', message)
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
