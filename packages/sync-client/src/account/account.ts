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
  /** Time until the next token should be fetched, in ms. Ends before the token expires, so that there is no gap. */
  readonly renewInMs: number
}

/**
 * Who is signed in on this device. The access token is in memory only; the refresh token is in an httpOnly cookie or
 * in the storage. A session ends only with a sign-out, or when the server answers a refresh with `unauthenticated`:
 * never for lack of a network.
 */
export interface Account {
  readonly user: User | null
  /** The user whose synced spaces are listed: also after the session has expired. Null after a sign-out. */
  readonly ownerId: UserId | null
  onUser(listener: (user: User | null) => void): () => void
  /** Whether this account was deleted on this device. Its spaces stay here, and are never sent again. */
  isGone(userId: UserId): boolean

  /** Reads the stored session: at the start, and when another tab has signed in or out. */
  load(): Promise<void>
  signUp(input: Credentials & { readonly name: string }): Promise<User>
  signIn(input: Credentials): Promise<User>
  signOut(everywhere: boolean): Promise<void>
  changePassword(input: { readonly password: string; readonly newPassword: string }): Promise<void>
  deleteAccount(password: string): Promise<void>
  /** Reports a sign-out to the server that could not be reported at the time. Never rejects: it is tried again. */
  finishSignOut(): Promise<void>

  /** Returns a token that is valid for a while. Throws `unauthenticated` when nobody is signed in. */
  accessToken(): Promise<AccessToken>
  /** Forgets the access token, because the server refused it. */
  invalidate(): void
  /** Makes a call in the user's name. Repeats it once with a fresh token if the first is refused. */
  call<T>(call: HttpCall, reply: ReplySchema<T>): Promise<T>
}

export interface AccountDeps {
  readonly http: Http
  readonly storage: ClientStorage
  readonly runtime: Runtime
  readonly kind: 'cookie' | 'storage'
  /** Runs one task at a time over all tabs: a refresh token can be used only once. */
  readonly exclusive: <T>(task: () => Promise<T>) => Promise<T>
  /** Called when the stored session has changed and the other tabs have to load it. */
  readonly onStored: () => void
}

/**
 * The share of a token's lifetime after which the next one is fetched. Chance takes up to a tenth off. Otherwise
 * clients that reconnected to a server together would renew their tokens together ever after.
 */
const usedLife = 0.8

/**
 * A server that does not know its own address may refuse the session of its page. That says nothing about any space, as
 * `forbidden` would, and does not end the session: the operator can mend it, so it is tried again.
 */
function notRenewed({ message }: SyncError): SyncError {
  return new SyncError('internal', `The server does not renew the session of this page (“${message}”)`)
}

export function createAccount({ http, storage, runtime, kind, exclusive, onStored }: AccountDeps): Account {
  const listeners = createListeners<User | null>()
  let stored: StoredSession = nobody
  let access: { token: string; fetchedAt: number; renewAfterMs: number } | null = null
  let refreshing: Promise<AccessToken> | null = null

  const readStored = async (): Promise<StoredSession> =>
    parseStoredSession(await storage.getConfig(sessionConfigKey))

  async function store(next: StoredSession): Promise<void> {
    // With the refresh token in a cookie, a renewal changes nothing here, and must not fail on a full disk.
    if (JSON.stringify(next) === JSON.stringify(stored)) return
    await storage.putConfig(sessionConfigKey, next)
    adopt(next)
    onStored()
  }

  function adopt(next: StoredSession): void {
    const before = stored.user
    // The same object until something about the user changes: a framework compares it by identity.
    const isSame = JSON.stringify(before) === JSON.stringify(next.user)
    stored = isSame ? { ...next, user: before } : next
    if (before?.id !== next.user?.id) access = null
    if (!isSame) listeners.emit(next.user)
  }

  const tokenKind = kind === 'cookie' ? 'cookie' : 'body'

  async function authenticate(path: string, body: Credentials & { readonly name?: string }): Promise<User> {
    return exclusive(async () => {
      adopt(await readStored())
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

  const refresh = (): Promise<AccessToken> =>
    exclusive(async () => {
      // Another tab may have refreshed or signed out while this one waited for its turn.
      adopt(await readStored())
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
        throw error instanceof SyncError && error.code === 'forbidden' ? notRenewed(error) : error
      }
    })

  async function accessToken(): Promise<AccessToken> {
    if (access !== null) {
      const age = runtime.now() - access.fetchedAt
      // A negative age means that the clock was set back, and says nothing about the token.
      if (age >= 0 && age < access.renewAfterMs) {
        return { token: access.token, renewInMs: access.renewAfterMs - age }
      }
    }
    refreshing ??= refresh().finally(() => (refreshing = null))
    return refreshing
  }

  /** Runs a call, and repeats it once with a fresh token if the first is refused. */
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
   * Makes a call that ends the present session, while no tab refreshes. The server cuts this device's socket before it
   * answers the call: a refresh in between would find the session ended, and sign out.
   */
  async function endingSession<T>(
    call: HttpCall,
    reply: ReplySchema<T>,
    then: (answer: T, userId: UserId) => Promise<void>,
  ): Promise<void> {
    const asking = stored.user
    await withToken((token) =>
      exclusive(async () => {
        adopt(await readStored())
        if (stored.user === null) throw new SyncError('unauthenticated', 'Nobody is signed in')
        if (stored.user.id !== asking?.id) {
          throw new SyncError('forbidden', 'Somebody else has signed in on this device')
        }
        await then(await http.call({ ...call, token }, reply), asking.id)
      }),
    )
  }

  /** Reports a sign-out that is stored. If the server cannot be reached, it stays to be reported later. */
  async function reportSignOut(everywhere: boolean): Promise<void> {
    const { refreshToken } = stored
    const body = { everywhere, ...(refreshToken === null ? {} : { refreshToken }) }
    try {
      await http.call({ method: 'POST', path: '/api/auth/logout', body }, noReply)
    } catch (error) {
      if (error instanceof SyncError && error.code === 'unavailable') return
    }
    await store(signedOut(stored))
  }

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
      adopt(await readStored())
    },
    signUp: (input) => authenticate('/api/auth/register', input),
    signIn: (input) => authenticate('/api/auth/login', input),
    signOut: (everywhere) =>
      exclusive(async () => {
        adopt(await readStored())
        const { refreshToken, user } = stored
        if (user === null) return
        // Stored first: this device is signed out in any case.
        await store({ ...signedOut(stored), refreshToken, owesSignOut: true })
        await reportSignOut(everywhere)
      }),
    changePassword: (input) =>
      endingSession(
        { method: 'POST', path: '/api/auth/change-password', body: { ...input, session: tokenKind } },
        sessionSchema,
        async (reply) => void (await accept(reply)),
      ),
    deleteAccount: (password) =>
      endingSession(
        { method: 'POST', path: '/api/auth/delete-account', body: { password } },
        noReply,
        (_, userId) => store({ ...signedOut(stored), goneUserIds: [...stored.goneUserIds, userId] }),
      ),
    finishSignOut: () =>
      exclusive(async () => {
        adopt(await readStored())
        if (stored.owesSignOut) await reportSignOut(false)
      }).catch(() => {}),
    accessToken,
    invalidate() {
      access = null
    },
    call: (call, reply) => withToken((token) => http.call({ ...call, token }, reply)),
  }
}
