import { errorResponseSchema, messageOf, SyncError } from '@t69/protocol'
import { z } from 'zod'

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
   * Makes a call and returns its parsed reply. Throws the `SyncError` that the server answered; `unavailable` when no
   * t69 server answered: there is no network, a proxy showed a page of its own, or the deadline passed; and
   * `invalid_request` for a body that is not JSON.
   */
  call<T>(call: HttpCall, reply: ReplySchema<T>): Promise<T>
}

/** Deadline of a call, in ms. */
const deadlineMs = 20_000

/** For calls that the server answers with nothing. Anything else comes from a proxy. */
export const noReply: ReplySchema<undefined> = z.undefined()

export function createHttp(url: string, fetchImpl: typeof fetch, runtime: Runtime): Http {
  return {
    async call({ method, path, body, token, kept }, reply) {
      const known = kept?.get(path)
      const text = body === undefined ? undefined : jsonText(body)
      const { status, ok, etag, json } = await withDeadline(runtime, async (signal) => {
        const response = await fetchImpl(onServer(url, path), {
          method,
          signal,
          credentials: 'include',
          headers: {
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(text === undefined ? {} : { 'content-type': 'application/json' }),
            ...(known === undefined ? {} : { 'if-none-match': known.etag }),
          },
          ...(text === undefined ? {} : { body: text }),
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
      // The server answers with JSON, or with nothing and 204. A page, such as that of a Wi-Fi's sign-in, is neither.
      const parsed = json === undefined && status !== 204 ? undefined : reply.safeParse(json)
      if (parsed?.success === true) {
        if (typeof etag === 'string') kept?.set(path, { etag, json })
        return parsed.data
      }
      throw new SyncError('unavailable', `The answer to ${method} ${path} is not from a t69 server`)
    },
  }
}

function jsonText(body: unknown): string {
  try {
    return JSON.stringify(body)
  } catch (error) {
    throw new SyncError('invalid_request', `What is to be sent is not JSON: ${messageOf(error)}`)
  }
}

/** The JSON of a response, or undefined if it has none. */
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
