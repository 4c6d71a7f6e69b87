import {
  meSchema,
  type PasskeyAssertion,
  type PasswordLink,
  passwordLinkSchema,
  type Proof,
  providerVisitSchema,
  type Registration,
  registrationSchema,
  SyncError,
  type SessionEntry,
  type SessionId,
  sessionIdSchema,
  sessionListSchema,
  sessionSchema,
  type SessionReply,
  spaceListSchema,
  type SpaceSummary,
  type User,
  type UserId,
  userSchema,
  type VisitProvider,
  type WaysToSignIn,
  waysToSignInSchema,
} from '@t69/protocol'

import type { Credentials } from '../api.ts'
import { createListeners, parseInput, type Runtime } from '../runtime/index.ts'
import type { ClientStorage, StoredSpace } from '../storage/index.ts'
import { createAccountSeals, type KeptAccount } from './account-seals.ts'
import { noReply, type Http, type HttpCall, type KeptReplies, type ReplySchema } from './http.ts'
import { readPages } from './read-pages.ts'
import type { SessionStore } from './session-store.ts'
import { nobody, type StoredSession } from './stored-session.ts'

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
  /** Nobody is signed in, and the last session ended by itself: nobody signed out here. */
  readonly hasEnded: boolean
  /** The browser had lost its database when this page opened it: the session is all that is left. */
  readonly wasLost: boolean
  onUser(listener: (user: User | null) => void): () => void
  /** Whether a space may be shown, written and sent now: it is nobody's, or of the user who is signed in. */
  mayUse(space: StoredSpace): boolean
  /** Whether the space is of this user at this server. */
  isOf(space: StoredSpace, userId: UserId): boolean
  /** The name under which this server's values are stored in the storage's `config`. */
  configKey(name: string): string

  /** Reads the stored session: at the start, and when another tab has signed in or out. */
  load(): Promise<void>
  signUp(input: Credentials & { readonly name: string; readonly invite?: string | undefined }): Promise<User>
  registration(): Promise<Registration>
  signIn(input: Credentials): Promise<User>
  /** Has the server send a link to set another password, if there is an account with the address. */
  sendPasswordLink(email: string): Promise<void>
  /** Whose password a link sets. */
  passwordLink(token: string): Promise<PasswordLink>
  /** Sets a password by a link, and signs in. */
  setPassword(input: { readonly token: string; readonly newPassword: string }): Promise<User>
  /** Where the browser has to go to sign in at the provider. */
  visitProvider(why: VisitProvider): Promise<string>
  /** Signs in as who came back from the provider. */
  signInWithProvider(): Promise<User>
  /** Connects the account with who came back from the provider. */
  connectProvider(): Promise<void>
  /** Ends that connection. */
  disconnectProvider(proof: Proof): Promise<void>
  signInWithPasskey(passkey: PasskeyAssertion): Promise<User>
  waysToSignIn(): Promise<WaysToSignIn>
  /** With `forget`, also removes the user's spaces from this device, and rejects if the storage fails meanwhile. */
  signOut(how: { readonly everywhere: boolean; readonly forget: boolean }): Promise<void>
  changePassword(input: Proof & { readonly newPassword: string }): Promise<void>
  deleteAccount(how: { readonly proof: Proof; readonly forget: boolean }): Promise<void>
  /** Changes the name that others see. */
  changeName(name: string): Promise<void>
  /** Has the server send a link to the address that the account is to have. */
  changeAddress(input: Proof & { readonly email: string }): Promise<void>
  /** Changes the address by that link. */
  confirmAddress(token: string): Promise<User>
  /** Where the user is signed in, the last used first. */
  sessions(): Promise<SessionEntry[]>
  endSession(sessionId: SessionId): Promise<void>
  endOtherSessions(): Promise<void>
  /** Whether the user is an admin of the server. */
  isAdmin(): Promise<boolean>
  /** The users whose spaces are being removed from this device. */
  readonly forgetting: readonly UserId[]
  /** Removes what a page that was closed meanwhile has left. */
  finishForgetting(): Promise<void>
  /** Reports a sign-out to the server that could not be reported at the time. Never rejects: it is tried again. */
  finishSignOut(): Promise<void>

  /** Other accounts that had the user's address and were signed in on this device: see `LostAccounts`. */
  formerAccounts(): Promise<KeptAccount[]>
  /** Nothing of a former account is here any more, or nobody has a claim to it. */
  forgetFormer(userId: UserId): Promise<void>

  /** Returns a token that is valid for a while. Throws `unauthenticated` when nobody is signed in. */
  accessToken(): Promise<AccessToken>
  /** Forgets the access token, because the server refused it. */
  invalidate(): void
  /**
   * Makes a call in the user's name. Repeats it once with a fresh token if the first is refused. Throws `unauthenticated`
   * if the user was signed out meanwhile, whatever the server answered.
   */
  call<T>(call: HttpCall, reply: ReplySchema<T>): Promise<T>
  /** Makes a call in nobody's name. */
  callAsNobody<T>(call: HttpCall, reply: ReplySchema<T>): Promise<T>
  /** The user's spaces on the server, oldest first. Throws as `call` does. */
  listSpaces(): Promise<SpaceSummary[]>
}

export interface AccountDeps {
  readonly http: Http
  readonly storage: Pick<ClientStorage, 'getConfig' | 'putConfig'>
  readonly sessions: SessionStore
  readonly runtime: Runtime
  readonly kind: 'cookie' | 'storage'
  /** Runs one task at a time over all tabs: a refresh token can be used only once. */
  readonly exclusive: <T>(task: () => Promise<T>) => Promise<T>
  /** Removes a user's spaces from this device. Repeating it is harmless. */
  readonly forget: (userId: UserId) => Promise<void>
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
function notRenewed({ body: { message, reason } }: SyncError): SyncError {
  return new SyncError('internal', `The server does not renew the session of this page (“${message}”)`, {
    reason,
  })
}

export function createAccount(deps: AccountDeps): Account {
  const { http, storage, sessions, runtime, kind, exclusive, onStored } = deps
  const listeners = createListeners<User | null>()
  const seals = createAccountSeals(storage, sessions)
  let stored: StoredSession = nobody
  let access: { token: string; fetchedAt: number; renewAfterMs: number } | null = null
  let refreshing: Promise<AccessToken> | null = null
  /** The pages of the user's list of spaces. */
  let keptPages: KeptReplies = new Map()

  async function store(next: StoredSession): Promise<void> {
    // With the refresh token in a cookie, a renewal changes nothing here, and must not fail on a full disk.
    if (JSON.stringify(next) === JSON.stringify(stored)) return
    await sessions.write(next)
    adopt(next)
    onStored()
  }

  function adopt(next: StoredSession): void {
    const before = stored.user
    // The same object until something about the user changes: a framework compares it by identity.
    const isSame = JSON.stringify(before) === JSON.stringify(next.user)
    stored = isSame ? { ...next, user: before } : next
    if (before?.id !== next.user?.id) {
      access = null
      keptPages = new Map()
    }
    if (!isSame) listeners.emit(next.user)
  }

  const isOf = (space: StoredSpace, userId: UserId): boolean =>
    space.userId === userId && sessions.isOurs(space)

  const tokenKind = kind === 'cookie' ? 'cookie' : 'body'

  async function authenticate(path: string, body: Credentials & { readonly name?: string }): Promise<User> {
    return exclusive(async () => {
      adopt(await sessions.read())
      // Only a server that has lost the account makes anything of its seal.
      const seal = body.name === undefined ? undefined : await seals.find(body.email)
      const reply = await http.call(
        { method: 'POST', path, body: { ...body, session: tokenKind, ...(seal !== undefined && { seal }) } },
        sessionSchema,
      )
      await accept(reply, true)
      return reply.user
    })
  }

  /** Signs in by something else than an address and a password. Whose account it is, only the server knows. */
  const enterBy = (path: string, shown: () => object | Promise<object>): Promise<User> =>
    exclusive(async () => {
      adopt(await sessions.read())
      const body = { ...(await shown()), session: tokenKind }
      const reply = await http.call({ method: 'POST', path, body }, sessionSchema)
      await accept(reply, true)
      return reply.user
    })

  async function accept(reply: SessionReply, isNew = false): Promise<AccessToken> {
    const { user, accessToken: token, expiresInMs } = reply
    const refreshToken = reply.refreshToken ?? null
    // Whoever signs in again before everything was forgotten keeps what is left.
    const forgetting = stored.forgetting.filter((id) => id !== user.id)
    await store({ ...stored, user, lastUserId: user.id, refreshToken, owesSignOut: false, forgetting })
    // On a full disk, the next renewal tries again.
    await seals.keep(reply, isNew).catch(() => {})
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
      adopt(await sessions.read())
      // Whoever is told that somebody signed in asks for a token before the sign-in has put its own down.
      const present = presentToken()
      if (present !== undefined) return present
      if (stored.user === null) throw new SyncError('unauthenticated', 'Nobody is signed in')
      const body = stored.refreshToken === null ? {} : { refreshToken: stored.refreshToken }
      try {
        return await accept(
          await http.call({ method: 'POST', path: '/api/auth/refresh', body }, sessionSchema),
        )
      } catch (error) {
        if (error instanceof SyncError && error.code === 'unauthenticated') {
          await store({ ...signedOut(), lastUserId: stored.user?.id ?? null })
        }
        throw error instanceof SyncError && error.code === 'forbidden' ? notRenewed(error) : error
      }
    })

  /** The token that is at hand, if it is not to be renewed. */
  function presentToken(): AccessToken | undefined {
    if (access === null) return undefined
    const age = runtime.now() - access.fetchedAt
    // A negative age means that the clock was set back, and says nothing about the token.
    if (age < 0 || age >= access.renewAfterMs) return undefined
    return { token: access.token, renewInMs: access.renewAfterMs - age }
  }

  async function accessToken(): Promise<AccessToken> {
    const present = presentToken()
    if (present !== undefined) return present
    refreshing ??= refresh().finally(() => (refreshing = null))
    return refreshing
  }

  /** What was asked by one user is neither asked nor answered for another who has signed in meanwhile. */
  function requireUser(asking: User): void {
    if (stored.user?.id === asking.id) return
    throw new SyncError('unauthenticated', `${asking.name} is no longer signed in on this device`)
  }

  /** Runs a call of the present user, and repeats it once with a fresh token if the first is refused. */
  async function withToken<T>(run: (token: string) => Promise<T>): Promise<T> {
    const asking = stored.user
    const ownToken = async (): Promise<string> => {
      const { token } = await accessToken()
      if (asking !== null) requireUser(asking)
      return token
    }
    const token = await ownToken()
    try {
      return await run(token)
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'unauthenticated') throw error
      if (access?.token === token) access = null
      return run(await ownToken())
    }
  }

  async function callAsUser<T>(call: HttpCall, reply: ReplySchema<T>): Promise<T> {
    const asking = stored.user
    const answer = await withToken((token) => http.call({ ...call, token }, reply))
    if (asking !== null) requireUser(asking)
    return answer
  }

  /** The session after its end. What is to be forgotten still is. */
  const signedOut = (): StoredSession => ({ ...nobody, forgetting: stored.forgetting })

  /** Those who are to be forgotten, with one more: what somebody asked before may not be done yet. */
  const alsoForgetting = (userId: UserId): UserId[] => [
    userId,
    ...stored.forgetting.filter((id) => id !== userId),
  ]

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
        adopt(await sessions.read())
        if (stored.user === null) throw new SyncError('unauthenticated', 'Nobody is signed in')
        if (stored.user.id !== asking?.id) {
          throw new SyncError('forbidden', 'Somebody else has signed in on this device', {
            reason: 'other_user',
          })
        }
        await then(await http.call({ ...call, token }, reply), asking.id)
      }),
    )
  }

  /** Removes the spaces that are to be forgotten, then the note of it, one user after the other. */
  async function forgetStored(): Promise<void> {
    for (const userId of stored.forgetting) {
      await deps.forget(userId)
      await seals.forget(userId)
      await store({ ...stored, forgetting: stored.forgetting.filter((id) => id !== userId) })
    }
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
    await store(signedOut())
  }

  /** The user has changed something about themselves. */
  const storeUser = (user: User): Promise<void> =>
    exclusive(async () => {
      adopt(await sessions.read())
      requireUser(user)
      await store({ ...stored, user })
    })

  return {
    get user() {
      return stored.user
    },
    get hasEnded() {
      return stored.user === null && stored.lastUserId !== null
    },
    get wasLost() {
      return sessions.wasLost
    },
    onUser: (listener) => listeners.add(listener),
    mayUse: (space) => space.userId === null || (stored.user !== null && isOf(space, stored.user.id)),
    isOf,
    configKey: (name) => sessions.configKey(name),
    async load() {
      adopt(await sessions.read())
    },
    signUp: (input) => authenticate('/api/auth/register', input),
    registration: () => http.call({ method: 'GET', path: '/api/auth/registration' }, registrationSchema),
    signIn: (input) => authenticate('/api/auth/login', input),
    sendPasswordLink: (email) =>
      http.call({ method: 'POST', path: '/api/auth/forgotten-password', body: { email } }, noReply),
    passwordLink: (token) =>
      http.call(
        { method: 'POST', path: '/api/auth/password-link/preview', body: { token } },
        passwordLinkSchema,
      ),
    setPassword: (input) => enterBy('/api/auth/password-link', () => input),
    async visitProvider(why) {
      const visit: HttpCall = { method: 'POST', path: '/api/auth/provider', body: why }
      const { url } =
        why.purpose === 'sign-in'
          ? await http.call(visit, providerVisitSchema)
          : await callAsUser(visit, providerVisitSchema)
      return url
    },
    signInWithProvider: () =>
      enterBy('/api/auth/provider/sign-in', async () => ({ seals: await seals.all() })),
    signInWithPasskey: (passkey) => enterBy('/api/auth/passkeys/sign-in', () => ({ passkey })),
    callAsNobody: (call, reply) => http.call(call, reply),
    connectProvider: () => callAsUser({ method: 'POST', path: '/api/auth/provider/connect' }, noReply),
    disconnectProvider: (proof) =>
      callAsUser({ method: 'POST', path: '/api/auth/provider/disconnect', body: proof }, noReply),
    waysToSignIn: () => callAsUser({ method: 'GET', path: '/api/me/ways-to-sign-in' }, waysToSignInSchema),
    signOut: ({ everywhere, forget }) =>
      exclusive(async () => {
        adopt(await sessions.read())
        const { refreshToken, user } = stored
        if (user === null) return
        // Stored first: this device is signed out in any case.
        const forgetting = forget ? alsoForgetting(user.id) : stored.forgetting
        await store({ ...nobody, refreshToken, owesSignOut: true, forgetting })
        // The server may be slow to answer. Nothing here waits for it.
        const [forgotten] = await Promise.allSettled([forgetStored(), reportSignOut(everywhere)])
        if (forgotten.status === 'rejected') throw forgotten.reason
      }),
    changePassword: (input) =>
      endingSession(
        { method: 'POST', path: '/api/auth/change-password', body: { ...input, session: tokenKind } },
        sessionSchema,
        async (reply) => void (await accept(reply, true)),
      ),
    deleteAccount: ({ proof, forget }) =>
      endingSession(
        { method: 'POST', path: '/api/auth/delete-account', body: proof },
        noReply,
        async (_, userId) => {
          await store({ ...nobody, forgetting: forget ? alsoForgetting(userId) : stored.forgetting })
          await seals.forget(userId).catch(() => {})
          await forgetStored()
        },
      ),
    async changeName(name) {
      const user = await callAsUser({ method: 'PATCH', path: '/api/me', body: { name } }, userSchema)
      // The token has the name of before.
      access = null
      await storeUser(user)
    },
    changeAddress: (body) => callAsUser({ method: 'POST', path: '/api/auth/change-address', body }, noReply),
    async confirmAddress(token) {
      const path = '/api/auth/change-address/confirm'
      const user = await callAsUser({ method: 'POST', path, body: { token } }, userSchema)
      await storeUser(user)
      // The seal of before names another address, and is void. The next renewal brings another one.
      access = null
      return user
    },
    async sessions() {
      const pages = await readPages(callAsUser, '/api/sessions', sessionListSchema)
      return pages.flatMap(({ sessions }) => sessions).toSorted((a, b) => b.lastUsedAt - a.lastUsedAt)
    },
    async endSession(sessionId) {
      // Text that is no id, such as "..", could lead to another path.
      const id = parseInput(sessionIdSchema, sessionId, 'sessionId')
      await callAsUser({ method: 'DELETE', path: `/api/sessions/${id}` }, noReply)
    },
    endOtherSessions: () => callAsUser({ method: 'DELETE', path: '/api/sessions' }, noReply),
    isAdmin: async () => (await callAsUser({ method: 'GET', path: '/api/me' }, meSchema)).role === 'admin',
    get forgetting() {
      return stored.forgetting
    },
    finishForgetting: () =>
      exclusive(async () => {
        adopt(await sessions.read())
        await forgetStored()
      }),
    finishSignOut: () =>
      exclusive(async () => {
        adopt(await sessions.read())
        if (stored.owesSignOut) await reportSignOut(false)
      }).catch(() => {}),
    formerAccounts: async () => (stored.user === null ? [] : seals.othersOf(stored.user)),
    forgetFormer: (userId) => seals.forget(userId),
    accessToken,
    invalidate() {
      access = null
    },
    call: callAsUser,
    async listSpaces() {
      const asking = stored.user
      const callAsBefore: typeof callAsUser = async (call, reply) => {
        if (asking !== null) requireUser(asking)
        return callAsUser(call, reply)
      }
      const pages = await readPages(callAsBefore, '/api/spaces', spaceListSchema, keptPages)
      return pages.flatMap(({ spaces }) => spaces)
    },
  }
}
