import type { Server } from 'node:http'

/** The path of `PUBLIC_URL`, such as `/t69`, or an empty text. */
export function basePathOf(publicUrl: string | undefined): string {
  return publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/+$/, '')
}

/**
 * Takes the base path off the URL of every request, sockets included, before anything else sees it. What comes without
 * it is served too: a proxy may have taken it off already, and a container's health is asked for at the root. Call it
 * after everything else listens to the server.
 */
export function stripBasePath(server: Pick<Server, 'prependListener'>, basePath: string): void {
  if (basePath === '') return
  const strip = (request: { url?: string | undefined }): void => {
    const { url } = request
    if (url === undefined || !url.startsWith(basePath)) return
    const rest = url.slice(basePath.length)
    if (rest === '' || rest.startsWith('?')) request.url = `/${rest}`
    else if (rest.startsWith('/')) request.url = rest
  }
  server.prependListener('request', strip)
  server.prependListener('upgrade', strip)
}
