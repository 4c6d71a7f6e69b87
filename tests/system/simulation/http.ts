import { createSpaceBodySchema, type SpaceId, type User } from '@t69/protocol'

import type { Network } from './network.ts'
import type { SimServer } from './server.ts'
import { tokenLifeMs } from './server.ts'
import type { VirtualTime } from './time.ts'

/** The routes that a client needs, for one user, over the same network as its socket. */
export function createSimFetch(
  user: User,
  server: SimServer,
  network: Network,
  time: VirtualTime,
): typeof fetch {
  const session = () => ({
    user,
    accessToken: server.tokenFor(user.id),
    expiresInMs: tokenLifeMs,
    refreshToken: 'refresh',
  })

  function answer(method: string, path: string, body: unknown): Response {
    switch (`${method} ${path}`) {
      case 'POST /api/auth/login':
      case 'POST /api/auth/refresh':
        return Response.json(session())
      case 'GET /api/spaces':
        return Response.json({ spaces: [] })
      case 'POST /api/spaces': {
        const { id, name } = createSpaceBodySchema.parse(body)
        server.accounts.create(id, user.id)
        return Response.json({ id, name, role: roleIn(id), createdAt: time.now() }, { status: 201 })
      }
      default: {
        const id = path.split('/')[3] as SpaceId
        return Response.json({ id, name: 'Space', role: roleIn(id), createdAt: time.now() })
      }
    }
  }
  const roleIn = (id: SpaceId) => server.accounts.roleOf(id, user.id) ?? 'viewer'

  return async (input, init) =>
    new Promise((resolve, reject) => {
      const url = new URL(input instanceof Request ? input.url : input)
      const fails = network.offline || server.gateway === null
      time.setTimer(() => {
        if (fails) return reject(new TypeError('Failed to fetch'))
        const body: unknown = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined
        resolve(answer(init?.method ?? 'GET', url.pathname, body))
      }, 5)
    })
}
