import { errorResponseSchema, messageOf, SyncError } from '@t69/protocol'

import type { ReplySchema, ServerCall } from '../api.ts'
import { onServer, type Runtime } from '../runtime/index.ts'

export type { ReplySchema }

/** Replies by path, with the ETag under which the server knows them. */
export type KeptReplies = Map<string, { readonly etag: string; readonly json: unknown }>

export interface HttpCall extends ServerCall {
  readonly token?: string
  /** Where the reply is kept: while it is the same, the server does not send it again. */
  readonly kept?: KeptReplies
}

export interface Http {
  /**
   * Makes a call and returns its parsed reply. Throws the `SyncError` that the server answered; or `unavailable` when no
   * t69 server answered: there is no network, a proxy showed an error page, or the deadline passed.
   */
  call<T>(call: HttpCall, reply: ReplySchema<T>): Promise<T>
}

/** Deadline of a call, in ms. */
const deadlineMs = 20_000

/** Accepts any reply, for calls whose reply carries nothing. */
export const noReply: ReplySchema<null> = { safeParse: () => ({ success: true, data: null }) }

export function createHttp(url: string, fetchImpl: typeof fetch, runtime: Runtime): Http {
  return {
    async call({ method, path, body, token, kept }, reply) {
      const known = kept?.get(path)
      const { status, ok, etag, json } = await withDeadline(runtime, async (signal) => {
        const response = await fetchImpl(onServer(url, path), {
          method,
          signal,
          credentials: 'include',
          headers: {
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...(known === undefined ? {} : { 'if-none-match': known.etag }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
        if (known !== undefined && response.status === 304) return { status: 304, ok: true, json: known.json }
        const etag = response.headers.get('etag')
        return { status: response.status, ok: response.ok, etag, json: await jsonOf(response) }
      })
      if (!ok) {
        const refusal = errorResponseSchema.safeParse(json)
        if (refusal.success) throw SyncError.from(refusal.data.error)
        throw new SyncError('unavailable', `The server answered ${method} ${path} with status ${status}`)
      }
      const parsed = reply.safeParse(json)
      if (parsed.success) {
        if (typeof etag === 'string') kept?.set(path, { etag, json })
        return parsed.data
      }
      throw new SyncError('unavailable', `The answer to ${method} ${path} is not from a t69 server`)
    },
  }
}

async function jsonOf(response: Response): Promise<unknown> {
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function withDeadline<T>(runtime: Runtime, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  const cancel = runtime.setTimer(() => abort.abort(), deadlineMs)
  try {
    return await call(abort.signal)
  } catch (error) {
    throw new SyncError('unavailable', `The server cannot be reached: ${messageOf(error)}`)
  } finally {
    cancel()
  }
}
