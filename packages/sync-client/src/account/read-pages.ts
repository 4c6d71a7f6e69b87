import { limits, SyncError } from '@t69/protocol'

import type { HttpCall, KeptReplies, ReplySchema } from './http.ts'

/** The part of a list's page that leads to the next. */
interface Page {
  readonly next?: string | undefined
}

type Call = <T>(call: HttpCall, reply: ReplySchema<T>) => Promise<T>

/**
 * Reads a list that the server answers in pages, to its end ([LI13]). With `kept`, which this function keeps, pages that
 * have not changed since the last time are not sent again ([LI14]). Throws what `call` throws.
 */
export async function readPages<P extends Page>(
  call: Call,
  path: string,
  schema: ReplySchema<P>,
  kept?: KeptReplies,
): Promise<P[]> {
  const pages: P[] = []
  const asked = new Set<string>()
  let next: string | undefined
  do {
    const query = new URLSearchParams({ limit: String(limits.maxPageEntries) })
    if (next !== undefined) query.set('after', next)
    const pathOfPage = `${path}?${query}`
    if (asked.has(pathOfPage)) throw new SyncError('unavailable', `The pages of ${path} lead in a circle`)
    asked.add(pathOfPage)
    const page = await call({ method: 'GET', path: pathOfPage, ...(kept && { kept }) }, schema)
    pages.push(page)
    next = page.next
  } while (next !== undefined)
  for (const known of kept?.keys() ?? []) if (!asked.has(known)) kept?.delete(known)
  return pages
}
