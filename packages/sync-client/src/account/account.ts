import { SyncError, sessionSchema, type SessionReply, type User, type UserId } from '@t69/protocol'

import type { Credentials } from '../api.ts'
import { createListeners, type Runtime } from '../runtime/index.ts'
import type { ClientStorage } from '../storage/index.ts'
import { noReply, type Http, type HttpCall, type ReplySchema } from './http.ts'
import {
  nobody,
  parseStoredSession,
  sessionConfigKey,
  signedOut,
  type StoredSession,
} from './stored-session.ts'

export interface AccessToken {
  readonly token: string
  /** When to have the next one, from now on: before it runs out, so that there is no gap. */
  readonly renewInMs: number
}

/**
 * Who is signed in. The access token is in memory only; the refresh token is in an httpOnly cookie or in
 * the storage. Only the server's own `unauthenticated`, in answer to a refresh, ends a session: an absent
 * network never does.
 */
export interface Account {
  readonly user: User | null
  /** Whose synced spaces are listed: the user's, or those of a session that ran out. Null after a sign-out. */
  readonly ownerId: UserId | null
  onUser(listener: (user: User | null) => void): () => void
  /** The account was deleted here. Its spaces are on this device still, and nobody's to send. */
  isGone(userId: UserId): boolean

  /** Reads what is stored, at the start and when another tab has signed in or out. */
  load(): Promise<void>
  signUp(input: Credentials & { readonly name: string }): Promise<User>
  signIn(input: Credentials): Promise<User>
  signOut(everywhere: boolean): Promise<void>
  changePassword(input: { readonly password: string; readonly newPassword: string }): Promise<void>
  deleteAccount(password: string): Promise<void>
  /** Tells the server of a sign-out that it could not hear at the time. Never rejects: it is tried again. */
  finishSignOut(): Promise<void>

  /** A token that is still good for a while. Throws `unauthenticated` when nobody is signed in. */
  accessToken(): Promise<AccessToken>
  /** Forgets the token: the server refused it. */
  invalidate(): void
  /** A call in the user's name, repeated once with a fresh token if the first is refused. */
  call<T>(call: HttpCall, reply: ReplySchema<T>): Promise<T>
}

export interface AccountDeps {
  readonly http: Http
  readonly storage: ClientStorage
  readonly runtime: Runtime
  readonly kind: 'cookie' | 'storage'
  /** One task at a time over all tabs: a refresh token is good for one use. */
  readonly exclusive: <T>(task: () => Promise<T>) => Promise<T>
  /** The stored session has changed: other tabs are to load it. */
  readonly onStored: () => void
}

/**
 * How much of a token's life is used, at most, before the next one is fetched. Chance takes up to a tenth off:
 * whoever came back to a server together would else renew together ever after.
 */
const usedLife = 0.8

export function createAccount({ http, storage, runtime, kind, exclusive, onStored }: AccountDeps): Account {
  const listeners = createListeners<User | null>()
  let stored: StoredSession = nobody
  let access: { token: string; fetchedAt: number; renewAfterMs: number } | null = null
  let refreshing: Promise<AccessToken> | null = null

  const readStored = async (): Promise<StoredSession> =>
    parseStoredSession(await storage.getConfig(sessionConfigKey))

  async function store(next: StoredSession): Promise<void> {
    // With the refresh token in a cookie a renewal changes nothing here, and needs no room on a full disk.
    if (JSON.stringify(next) === JSON.stringify(stored)) return
    await storage.putConfig(sessionConfigKey, next)
    take(next)
    onStored()
  }

  function take(next: StoredSession): void {
    const before = stored.user
    stored = next
    if (before?.id !== next.user?.id) access = null
    if (before?.id !== next.user?.id || before?.name !== next.user?.name) listeners.emit(next.user)
  }

  const tokenKind = kind === 'cookie' ? 'cookie' : 'body'

  async function begin(path: string, body: Credentials & { readonly name?: string }): Promise<User> {
    return exclusive(async () => {
      take(await readStored())
      const reply = await http.call(
        { method: 'POST', path, body: { ...body, session: tokenKind } },
        sessionSchema,
      )
      await accept(reply)
      return reply.user
    })
  }

  async function accept(reply: SessionReply): Promise<AccessToken> {
    const { user, accessToken: token, expiresInMs } = reply
    const refreshToken = reply.refreshToken ?? null
    await store({ ...stored, user, lastUserId: user.id, refreshToken, owesSignOut: false })
    access = {
      token,
      fetchedAt: runtime.now(),
      renewAfterMs: expiresInMs * (usedLife - runtime.random() / 10),
    }
    return { token, renewInMs: access.renewAfterMs }
  }

  /** Another tab may have refreshed, or signed out, while this one waited for its turn. */
  const refresh = (): Promise<AccessToken> =>
    exclusive(async () => {
      take(await readStored())
      if (stored.user === null) throw new SyncError('unauthenticated', 'Nobody is signed in')
      const body = stored.refreshToken === null ? {} : { refreshToken: stored.refreshToken }
      try {
        return await accept(
          await http.call({ method: 'POST', path: '/api/auth/refresh', body }, sessionSchema),
        )
      } catch (error) {
        if (error instanceof SyncError && error.code === 'unauthenticated') {
          await store({ ...signedOut(stored), lastUserId: stored.user?.id ?? null })
        }
        throw error
      }
    })

  async function accessToken(): Promise<AccessToken> {
    if (access !== null) {
      const age = runtime.now() - access.fetchedAt
      // A clock that was set back makes the age negative; a token is not younger than new.
      if (age >= 0 && age < access.renewAfterMs) {
        return { token: access.token, renewInMs: access.renewAfterMs - age }
      }
    }
    refreshing ??= refresh().finally(() => (refreshing = null))
    return refreshing
  }

  /** Repeats it once with a fresh token if the first is refused. */
  async function withToken<T>(run: (token: string) => Promise<T>): Promise<T> {
    const { token } = await accessToken()
    try {
      return await run(token)
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'unauthenticated') throw error
      if (access?.token === token) access = null
      return run((await accessToken()).token)
    }
  }

  /**
   * A call that ends the session as it was. The server cuts this device's socket before it answers: nobody may
   * refresh meanwhile, or they would find the session ended, and sign out.
   */
  async function alone<T>(
    call: HttpCall,
    reply: ReplySchema<T>,
    then: (answer: T, userId: UserId) => Promise<void>,
  ): Promise<void> {
    const asking = stored.user
    await withToken((token) =>
      exclusive(async () => {
        take(await readStored())
        if (stored.user === null) throw new SyncError('unauthenticated', 'Nobody is signed in')
        if (stored.user.id !== asking?.id) {
          throw new SyncError('forbidden', 'Somebody else has signed in on this device')
        }
        await then(await http.call({ ...call, token }, reply), asking.id)
      }),
    )
  }

  const logout = (refreshToken: string | null, everywhere: boolean): Promise<null> =>
    http.call(
      {
        method: 'POST',
        path: '/api/auth/logout',
        body: { everywhere, ...(refreshToken === null ? {} : { refreshToken }) },
      },
      noReply,
    )

  return {
    get user() {
      return stored.user
    },
    get ownerId() {
      return stored.user?.id ?? stored.lastUserId
    },
    onUser: (listener) => listeners.add(listener),
    isGone: (userId) => stored.goneUserIds.includes(userId),
    async load() {
      take(await readStored())
    },
    signUp: (input) => begin('/api/auth/register', input),
    signIn: (input) => begin('/api/auth/login', input),
    signOut: (everywhere) =>
      exclusive(async () => {
        take(await readStored())
        const { refreshToken, user } = stored
        if (user === null) return
        await store({ ...signedOut(stored), refreshToken, owesSignOut: true })
        try {
          await logout(refreshToken, everywhere)
        } catch (error) {
          // Signed out here in any case. What the server has not heard, it hears later.
          if (error instanceof SyncError && error.code === 'unavailable') return
        }
        await store(signedOut(stored))
      }),
    changePassword: (input) =>
      alone(
        { method: 'POST', path: '/api/auth/change-password', body: { ...input, session: tokenKind } },
        sessionSchema,
        async (reply) => void (await accept(reply)),
      ),
    deleteAccount: (password) =>
      alone({ method: 'POST', path: '/api/auth/delete-account', body: { password } }, noReply, (_, userId) =>
        store({ ...signedOut(stored), goneUserIds: [...stored.goneUserIds, userId] }),
      ),
    finishSignOut: () =>
      exclusive(async () => {
        const { owesSignOut, refreshToken } = await readStored()
        if (!owesSignOut) return
        try {
          await logout(refreshToken, false)
        } catch (error) {
          if (error instanceof SyncError && error.code === 'unavailable') return
        }
        await store(signedOut(await readStored()))
      }).catch(() => {}),
    accessToken,
    invalidate() {
      access = null
    },
    call: (call, reply) => withToken((token) => http.call({ ...call, token }, reply)),
  }
}
