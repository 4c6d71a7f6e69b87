import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants } from 'node:zlib'

import staticFiles from '@fastify/static'

import { sendError } from './error-handler.ts'
import type { HttpApp } from './route.ts'

export interface StaticAppOptions {
  readonly staticDir: string
  /** Where the app is in the browser, such as `/t69`, or an empty text. */
  readonly basePath: string
}

const brotli = promisify(brotliCompress)

/** Compresses one text, and keeps the result until it is another. */
function createCompressor(): (text: string) => Promise<Buffer> {
  let last: { readonly text: string; readonly bytes: Promise<Buffer> } | undefined
  return (text) => {
    if (last?.text !== text) {
      const params = { [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT }
      last = { text, bytes: brotli(text, { params }) }
    }
    return last.bytes
  }
}

/** As the app is built: everything in it is relative to this. */
const builtBase = '<base href="/" />'

/**
 * Serves the built app. A request for a page that is not a file gets `index.html`, since the app routes its own URLs
 * (`/invite/…`). The page is told where the app is by its `<base>`. Large files are sent as the build compressed them, and the
 * page is compressed here, to browsers that take that. Browsers cache files that are named by their content for good, and
 * revalidate all others.
 */
export async function serveStaticApp(app: HttpApp, { staticDir, basePath }: StaticAppOptions): Promise<void> {
  const page = join(staticDir, 'index.html')
  const compressed = createCompressor()
  const isBuilt = existsSync(page)
  const hashed = join(staticDir, 'assets') + sep
  if (isBuilt) {
    await app.register(staticFiles, {
      root: staticDir,
      cacheControl: false,
      preCompressed: true,
      index: false,
      allowedPath: (path) => path !== '/' && path !== '/index.html',
      setHeaders: (reply, path) => {
        const isHashed = path.startsWith(hashed)
        void reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
      },
    })
  }

  app.setNotFoundHandler(async (request, reply) => {
    const [path = ''] = request.url.split('?')
    const isReading = request.method === 'GET' || request.method === 'HEAD'
    const isPage = path === '/' || path === '/index.html'
    const wantsPage = isPage || (request.headers.accept ?? '').includes('text/html')
    const isReserved = /^\/(?:api|docs|socket\.io|assets)(?:\/|$)/.test(path)
    if (isReading && wantsPage && !isReserved && isBuilt) {
      // Read each time, since the app may be built anew while the server runs.
      const html = (await readFile(page, 'utf8')).replace(builtBase, `<base href="${basePath}/" />`)
      void reply.code(200).type('text/html; charset=utf-8').header('cache-control', 'no-cache')
      void reply.header('vary', 'accept-encoding')
      if (!/\bbr\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(html)
      return reply.header('content-encoding', 'br').send(await compressed(html))
    }
    if (isReading && path === '/' && !isBuilt) {
      const text = 't69 sync is running. The app is not built: run `pnpm build`, or set STATIC_DIR.\n'
      return reply.code(404).type('text/plain').send(text)
    }
    // In quotes, so that the log leaves the path out: it may hold an invite's token.
    sendError(reply, { code: 'not_found', message: `There is nothing at ${request.method} “${path}”` })
    return reply
  })
}
