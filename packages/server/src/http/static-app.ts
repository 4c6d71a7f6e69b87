import { existsSync } from 'node:fs'
import { join, sep } from 'node:path'

import staticFiles from '@fastify/static'

import { sendError } from './error-handler.ts'
import type { HttpApp } from './route.ts'

/**
 * Serves the built app. A request for a page that is not a file gets `index.html`, since the app routes its own URLs
 * (`/invite/…`). Large files are sent as the build compressed them, to browsers that take that. Browsers cache files that are named by their content for good, and revalidate all others.
 */
export async function serveStaticApp(app: HttpApp, staticDir: string): Promise<void> {
  const isBuilt = existsSync(join(staticDir, 'index.html'))
  const hashed = join(staticDir, 'assets') + sep
  if (isBuilt) {
    await app.register(staticFiles, {
      root: staticDir,
      cacheControl: false,
      preCompressed: true,
      setHeaders: (reply, path) => {
        const isHashed = path.startsWith(hashed)
        void reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
      },
    })
  }

  app.setNotFoundHandler((request, reply) => {
    const [path = ''] = request.url.split('?')
    const isReading = request.method === 'GET' || request.method === 'HEAD'
    const wantsPage = isReading && (request.headers.accept ?? '').includes('text/html')
    const isReserved = /^\/(?:api|docs|socket\.io|assets)(?:\/|$)/.test(path)
    if (wantsPage && !isReserved && isBuilt) return reply.sendFile('index.html')
    if (isReading && path === '/' && !isBuilt) {
      const text = 't69 sync is running. The app is not built: run `pnpm build`, or set STATIC_DIR.\n'
      return reply.code(404).type('text/plain').send(text)
    }
    sendError(reply, { code: 'not_found', message: `There is nothing at ${request.method} ${path}` })
    return reply
  })
}
