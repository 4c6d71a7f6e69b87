import { createSpaceBodySchema, SyncError, type SpaceId, type User } from '@t69/protocol'

import type { Network } from './network.ts'
import type { SimServer } from './server.ts'
import { tokenLifeMs } from './server.ts'
import type { VirtualTime } from './time.ts'

/** The routes that a client needs, for one user, over the same network as its socket. An invite's token is a space's id. */
export function createSimFetch(
  user: User,
  server: SimServer,
  network: Network,
  time: VirtualTime,
): typeof fetch {
  const { accounts } = server
  const session = () => ({
    user,
    accessToken: server.tokenFor(user.id),
    expiresInMs: tokenLifeMs,
    refreshToken: 'refresh',
    seal: `the account of ${user.id}`,
  })

  function summary(id: SpaceId): object {
    const role = accounts.roleOf(id, user.id)
    const space = accounts.of(id)
    if (role === undefined || space === undefined) throw new SyncError('not_found', 'No such space')
    return { id, identity: space.identity, name: space.name, role, createdAt: 0 }
  }

  function answer(method: string, path: string, body: unknown): unknown {
    const id = path.split('/')[3] as SpaceId
    switch (`${method} ${path.replace(/[0-9a-f]{32}/, ':id')}`) {
      case 'POST /api/auth/login':
      case 'POST /api/auth/refresh':
        return session()
      case 'GET /api/spaces':
        return { spaces: accounts.spacesOf(user.id).map(summary) }
      case 'POST /api/spaces': {
        const parsed = createSpaceBodySchema.parse(body)
        accounts.register(parsed, user.id)
        return summary(parsed.id)
      }
      case 'POST /api/invites/:id/accept':
        if (accounts.of(id) !== undefined) accounts.add(id, user.id, 'editor')
        return summary(id)
      default:
        return summary(id)
    }
  }

  function respond(method: string, path: string, body: unknown): Response {
    try {
      return Response.json(answer(method, path, body))
    } catch (error) {
      if (!(error instanceof SyncError)) throw error
      return Response.json({ error: error.body }, { status: 400 })
    }
  }

  return async (input, init) =>
    new Promise((resolve, reject) => {
      const url = new URL(input instanceof Request ? input.url : input)
      const fails = network.offline || server.gateway === null
      time.setTimer(() => {
        if (fails || server.gateway === null) return reject(new TypeError('Failed to fetch'))
        const body: unknown = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined
        resolve(respond(init?.method ?? 'GET', url.pathname, body))
      }, 5)
    })
}
