import { once } from 'node:events'
import { request } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'

/** Gives a running server a command of its operator, through the socket in its directory. */
async function command(dataDir: string, name: string, given: object): Promise<unknown> {
  const asked = request({ socketPath: join(dataDir, 'admin.sock'), method: 'POST', agent: false })
  asked.end(JSON.stringify({ name, given }))
  const [response] = await once(asked, 'response')
  const reply = (await json(response)) as { readonly answer?: unknown; readonly error?: unknown }
  if (reply.answer === undefined) throw new Error(JSON.stringify(reply.error))
  return reply.answer
}

/** The token of a link to set the password of an account. */
export async function passwordLink(dataDir: string, user: string): Promise<string> {
  return ((await command(dataDir, 'users password-link', { user })) as { readonly token: string }).token
}

/** Gives an account the role, as `t69-server users promote` and `demote` do. */
export async function setServerRole(dataDir: string, user: string, role: 'admin' | 'member'): Promise<void> {
  await command(dataDir, 'users set-role', { user, role })
}

/** Sets a password of an account, as `t69-server users reset-password --new-password` does. */
export async function resetPassword(dataDir: string, user: string, password: string): Promise<void> {
  await command(dataDir, 'users reset-password', { user, password })
}
