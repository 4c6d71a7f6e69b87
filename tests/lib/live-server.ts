import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { errorResponseSchema, sessionSchema, type SessionReply, type User } from '@t69/protocol'
import { createServer, parseConfig, type Server, type ServerRuntime } from '@t69/server'

/** The whole server in this process, with real HTTP, sockets and files. */
export interface LiveServer extends AsyncDisposable {
  readonly url: string
  readonly dataDir: string
  readonly server: Server
  /** Runs `work` after `offsetMs` have passed (or, if negative, before they have). */
  atOffset<Result>(offsetMs: number, work: () => Promise<Result>): Promise<Result>
  signUp(name: string): Promise<Person>
  /** Starts another session of a person. */
  signIn(person: Pick<Person, 'user'>): Promise<Person>
  call(token: string | undefined, method: string, path: string, body?: object): Promise<Reply>
}

export interface Person {
  readonly user: User
  readonly session: SessionReply
  readonly token: string
  readonly refreshToken: string
  call(method: string, path: string, body?: object): Promise<Reply>
}

export interface Reply {
  readonly status: number
  /** The status, and the code of an error: `200`, `404 not_found`. */
  readonly outcome: string
  readonly body: unknown
}

/** The password of every person. */
export const password = 'correct horse battery'
const cheap = { memoryCost: 8, timeCost: 1, parallelism: 1 }

export async function startLiveServer(env: Readonly<Record<string, string>> = {}): Promise<LiveServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 't69-live-'))
  let offsetMs = 0
  const runtime: ServerRuntime = {
    now: () => Date.now() + offsetMs,
    monotonic: () => performance.now() + offsetMs,
    worked: () => process.threadCpuUsage().user / 1000,
    setTimer: (callback, delayMs) => {
      const timer = setTimeout(callback, delayMs)
      return () => clearTimeout(timer)
    },
    schedule: (callback) => void setImmediate(callback),
  }
  const config = parseConfig({
    PORT: '0',
    DATA_DIR: dataDir,
    LOG_LEVEL: 'silent',
    SQLITE_SYNCHRONOUS: 'normal',
    REGISTRATION: 'open',
    // A test has few spaces, and a thread takes a moment to start.
    STORAGE_THREADS: '1',
    SIGN_IN_LIMIT_PER_ADDRESS: '100000',
    SIGN_IN_LIMIT_PER_ACCOUNT: '100000',
    REQUEST_LIMIT_PER_ADDRESS: '1000000',
    REQUEST_LIMIT_PER_USER: '1000000',
    ...env,
  })
  const server = await createServer(config, { runtime, passwordCost: cheap })
  await server.listen()
  const { url } = server

  async function call(
    token: string | undefined,
    method: string,
    path: string,
    body?: object,
  ): Promise<Reply> {
    const response = await fetch(`${url}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const answer: unknown = text.startsWith('{') ? JSON.parse(text) : text
    const refusal = errorResponseSchema.safeParse(answer)
    const outcome = `${response.status}${refusal.success ? ` ${refusal.data.error.code}` : ''}`
    return { status: response.status, outcome, body: answer }
  }

  function personOf(reply: Reply): Person {
    const session = sessionSchema.parse(reply.body)
    const { user, accessToken: token, refreshToken = '' } = session
    return { user, session, token, refreshToken, call: (...rest) => call(token, ...rest) }
  }

  return {
    url,
    dataDir,
    server,
    call,
    async atOffset(ms, work) {
      offsetMs = ms
      try {
        return await work()
      } finally {
        offsetMs = 0
      }
    },
    async signUp(name) {
      const email = `${name.toLowerCase().replaceAll(' ', '.')}@example.org`
      return personOf(await call(undefined, 'POST', '/api/auth/register', { email, password, name }))
    },
    async signIn({ user }) {
      return personOf(await call(undefined, 'POST', '/api/auth/login', { email: user.email, password }))
    },
    async [Symbol.asyncDispose]() {
      await server.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
