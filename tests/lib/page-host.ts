import { createServer } from 'node:http'
import { extname } from 'node:path'

import { build, defaultClientConditions } from 'vite'

/** An origin for one test, whose pages all run the same script. */
export interface PageHost extends AsyncDisposable {
  readonly url: string
}

const types: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.map': 'application/json' }

/**
 * Bundles `entry`, with our packages from source, and serves it. `/` is an ordinary page. `/opaque` has an opaque
 * origin, so the browser refuses it storage, as it does where cookies are blocked.
 */
export async function hostPage(entry: string): Promise<PageHost> {
  const files = await bundle(entry)
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? '/', 'http://host').pathname.slice(1)
    const file = files.get(name)
    if (file !== undefined) {
      // A page with an opaque origin requests its own script across origins.
      const type = types[extname(name)] ?? 'application/octet-stream'
      response.writeHead(200, { 'content-type': type, 'access-control-allow-origin': '*' }).end(file)
    } else if (name === '' || name === 'opaque') {
      const policy = name === '' ? {} : { 'content-security-policy': 'sandbox allow-scripts' }
      response.writeHead(200, { 'content-type': 'text/html', ...policy })
      response.end(
        `<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>`,
      )
    } else {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the host has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The bundled files by name; that of the entry is `page.js`. */
async function bundle(entry: string): Promise<ReadonlyMap<string, string | Uint8Array>> {
  const built = await build({
    configFile: false,
    logLevel: 'warn',
    resolve: { conditions: ['source', ...defaultClientConditions] },
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: { input: { page: entry }, output: { entryFileNames: '[name].js' } },
    },
  })
  if (!Array.isArray(built) && !('output' in built)) throw new Error('the bundler only watches')
  const outputs = [built].flat().flatMap(({ output }) => output)
  return new Map(outputs.map((file) => [file.fileName, file.type === 'chunk' ? file.code : file.source]))
}
