import { sessionIdSchema, type SessionId, userIdSchema } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createManualTime } from '../runtime/testing/manual-time.ts'
import type { ClientStorage } from '../storage/client-storage.ts'
import { memoryStorage } from '../storage/memory-storage.ts'
import { createTabGroup, soloTabs, type Tabs } from '../tabs/index.ts'
import { createAccount } from './account.ts'
import { createHttp, noReply } from './http.ts'
import { noSessionNote } from './session-note.ts'
import { createSessionStore } from './session-store.ts'

const anna = { id: userIdSchema.parse('aa'.repeat(16)), email: 'anna@example.org', name: 'Anna' }
/** Where the session with the server of these tests is stored. */
const sessionKey = 'syncSession:http://sync.example/'
const sessionId = sessionIdSchema.parse('aa'.repeat(16))
const credentials = { email: anna.email, password: 'correct horse' }

/** A server that issues each refresh token once, and accepts it once. */
function createAuthServer() {
  let issued = 0
  const state = {
    refreshToken: '',
    calls: [] as string[],
    /** The seals that were shown at a sign-up; undefined for none. */
    shownSeals: [] as unknown[],
    isReachable: true,
    /** What a proxy answers to every call with status 200; undefined while none is in the way. */
    proxyPage: undefined as string | undefined,
    sessionsEnded: false,
    /** As a server behind a proxy that hides its address. */
    refusesPage: false,
    beforeAnswer: async () => {},
  }
  const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status })
  const refusal = json.bind(null, 401)
  const session = () => {
    issued++
    state.refreshToken = `refresh-${issued}`
    return json(200, {
      user: anna,
      accessToken: `access-${issued}`,
      expiresInMs: 100_000,
      refreshToken: state.refreshToken,
      seal: `seal-${issued}`,
    })
  }
  const serve: typeof fetch = async (input, init) => {
    if (!state.isReachable) throw new TypeError('no network')
    if (state.proxyPage !== undefined) return new Response(state.proxyPage)
    const { pathname, search } = new URL(String(input instanceof Request ? input.url : input))
    state.calls.push(pathname)
    const body: unknown = typeof init?.body === 'string' ? JSON.parse(init.body) : {}
    if (pathname === '/api/auth/login') return session()
    if (pathname === '/api/auth/register') {
      state.shownSeals.push(Object.entries(body ?? {}).find(([key]) => key === 'seal')?.[1])
      return session()
    }
    if (pathname === '/api/auth/change-password' || pathname === '/api/auth/delete-account') {
      if (!JSON.stringify(body).includes(`"password":"${credentials.password}"`)) {
        return refusal({ error: { code: 'wrong_credentials', message: 'no' } })
      }
      const answer = pathname === '/api/auth/delete-account' ? new Response(null, { status: 204 }) : session()
      // Every session has ended by now, and a refresh is refused before this answer arrives.
      if (pathname === '/api/auth/delete-account') state.sessionsEnded = true
      await state.beforeAnswer()
      return answer
    }
    if (pathname === '/api/auth/logout') return new Response(null, { status: 204 })
    if (pathname === '/api/sessions') return json(200, sessionPage(search.includes('after=')))
    const token = new Headers(init?.headers).get('authorization')
    if (pathname === '/api/me')
      return token === `Bearer access-${issued}` ? json(200, anna) : unauthenticated()
    if (state.refusesPage)
      return json(403, { error: { code: 'forbidden', message: 'pages of this server only' } })
    const isGood = JSON.stringify(body).includes(`"${state.refreshToken}"`) && !state.sessionsEnded
    return isGood ? session() : unauthenticated()
  }
  /** The older session in the first page, the newer one, which was used later, in the second. */
  const sessionPage = (isSecond: boolean) => ({
    sessions: [
      {
        id: (isSecond ? 'bb' : 'aa').repeat(16),
        device: isSecond ? 'Chrome on Android' : '',
        createdAt: isSecond ? 2 : 1,
        lastUsedAt: isSecond ? 9 : 3,
        isThis: isSecond,
      },
    ],
    ...(!isSecond && { next: `1.${'aa'.repeat(16)}` }),
  })
  const unauthenticated = () => refusal({ error: { code: 'unauthenticated', message: 'no' } })
  return { state, fetch: serve }
}

function setUp(
  options: { storage?: ClientStorage; tabs?: Tabs; server?: ReturnType<typeof createAuthServer> } = {},
) {
  const { storage = memoryStorage(), tabs = soloTabs(), server = createAuthServer() } = options
  const time = createManualTime()
  const forgotten: string[] = []
  const account = createAccount({
    http: createHttp('http://sync.example', server.fetch, time),
    storage,
    sessions: createSessionStore({
      storage,
      note: noSessionNote,
      server: 'http://sync.example/',
      pageOrigin: null,
    }),
    runtime: time,
    kind: 'storage',
    exclusive: (task) => tabs.exclusive(task),
    forget: async (userId) => void forgotten.push(userId),
    onStored: () => {},
  })
  const users: (string | null)[] = []
  account.onUser((user) => users.push(user?.name ?? null))
  return { storage, server, time, account, users, forgotten }
}

describe('The sessions of a user', () => {
  it('are read to the last page, and are in the order of their last use', async () => {
    const { account } = setUp()
    await account.signIn(credentials)
    const sessions = await account.sessions()
    expect(sessions.map(({ device, isThis }) => [device, isThis])).toEqual([
      ['Chrome on Android', true],
      ['', false],
    ])
  })

  it('cannot be listed by a device on which nobody is signed in', async () => {
    const { account } = setUp()
    await expect(account.sessions()).rejects.toMatchObject({ code: 'unauthenticated' })
  })
})

describe('A session', () => {
  it('is known after a reload without a network', async () => {
    const { storage, server, account } = setUp()
    await account.signIn(credentials)
    server.state.isReachable = false
    const again = setUp({ storage, server })
    await again.account.load()
    expect(again.account.user).toEqual(anna)
  })

  it('reuses its access token for most of its lifetime, and fetches the next one before it expires', async () => {
    const { server, time, account } = setUp()
    await account.signIn(credentials)
    expect(await account.accessToken()).toEqual({ token: 'access-1', renewInMs: 75_000 })
    await time.pass(74_000)
    expect(await account.accessToken()).toEqual({ token: 'access-1', renewInMs: 1_000 })
    await time.pass(1_000)
    expect(await account.accessToken()).toMatchObject({ token: 'access-2' })
    expect(server.state.calls).toEqual(['/api/auth/login', '/api/auth/refresh'])
  })

  it('gives whoever hears of a sign-in, and asks for a token at once, that of the sign-in', async () => {
    const { account, server } = setUp()
    const asked: Promise<unknown>[] = []
    account.onUser(() => asked.push(account.accessToken()))
    await account.signIn(credentials)
    expect(await Promise.all(asked)).toMatchObject([{ token: 'access-1' }])
    expect(server.state.calls).toEqual(['/api/auth/login'])
  })

  it('has the same user object after a refresh and a reload, and a new one when the name has changed', async () => {
    const { account, storage } = setUp()
    await account.signIn(credentials)
    const { user } = account
    const told: unknown[] = []
    account.onUser((next) => told.push(next))
    account.invalidate()
    await account.accessToken()
    await account.load()
    expect(account.user).toBe(user)
    expect(told).toEqual([])
    const stored = await storage.getConfig(sessionKey)
    await storage.putConfig(sessionKey, { ...(stored as object), user: { ...anna, name: 'Anne' } })
    await account.load()
    expect(account.user).toEqual({ ...anna, name: 'Anne' })
    expect(told).toEqual([account.user])
  })

  it('that the server refuses to renew stays, and is not told as a lack of rights', async () => {
    const { server, account } = setUp()
    await account.signIn(credentials)
    account.invalidate()
    server.state.refusesPage = true
    const refusal = { code: 'internal', message: expect.stringContaining('pages of this server only') }
    await expect(account.accessToken()).rejects.toMatchObject(refusal)
    await expect(account.call({ method: 'GET', path: '/api/me' }, noReply)).rejects.toMatchObject(refusal)
    expect(account.user).toEqual(anna)
    server.state.refusesPage = false
    expect(await account.accessToken()).toMatchObject({ token: 'access-2' })
  })

  it('refreshes once for several calls at the same time', async () => {
    const { server, account } = setUp()
    await account.signIn(credentials)
    account.invalidate()
    const tokens = await Promise.all([account.accessToken(), account.accessToken(), account.accessToken()])
    expect(new Set(tokens.map(({ token }) => token))).toEqual(new Set(['access-2']))
    expect(server.state.calls).toHaveLength(2)
  })

  it('survives two tabs that refresh at the same time', async () => {
    const group = createTabGroup()
    const one = setUp({ tabs: group.tab() })
    await one.account.signIn(credentials)
    const other = setUp({ storage: one.storage, server: one.server, tabs: group.tab() })
    await other.account.load()
    one.account.invalidate()
    await Promise.all([one.account.accessToken(), other.account.accessToken()])
    expect(one.account.user).toEqual(anna)
    expect(other.account.user).toEqual(anna)
  })

  it('outlasts a network failure during a refresh', async () => {
    const { server, account, users } = setUp()
    await account.signIn(credentials)
    account.invalidate()
    server.state.isReachable = false
    await expect(account.accessToken()).rejects.toMatchObject({ code: 'unavailable' })
    expect(account.user).toEqual(anna)
    server.state.isReachable = true
    expect(await account.accessToken()).toMatchObject({ token: 'access-2' })
    expect(users).toEqual(['Anna'])
  })

  it('ends when the server refuses a refresh, and says that nobody signed out', async () => {
    const { server, account, users } = setUp()
    await account.signIn(credentials)
    account.invalidate()
    server.state.sessionsEnded = true
    await expect(account.accessToken()).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(account.user).toBeNull()
    expect(account.hasEnded).toBe(true)
    expect(users).toEqual(['Anna', null])
    await account.signIn(credentials)
    expect(account.hasEnded).toBe(false)
  })

  it('repeats a call once with a fresh token', async () => {
    const { server, account } = setUp()
    await account.signIn(credentials)
    const schema = { safeParse: (data: unknown) => ({ success: true as const, data }) }
    // The server has forgotten the first access token.
    const stale = setUp({ storage: memoryStorage(), server })
    await stale.account.signIn(credentials)
    server.state.refreshToken = 'refresh-1'
    expect(await account.call({ method: 'GET', path: '/api/me' }, schema)).toEqual(anna)
    expect(server.state.calls.slice(-3)).toEqual(['/api/me', '/api/auth/refresh', '/api/me'])
  })

  it('ends here after a sign-out without a network, and the server is told later, once', async () => {
    const { storage, server, account } = setUp()
    await account.signIn(credentials)
    server.state.isReachable = false
    await account.signOut({ everywhere: false, forget: false })
    expect(account.user).toBeNull()
    expect(account.hasEnded).toBe(false)
    server.state.isReachable = true
    const again = setUp({ storage, server })
    await again.account.load()
    expect(again.account.user).toBeNull()
    await again.account.finishSignOut()
    await again.account.finishSignOut()
    expect(server.state.calls.filter((path) => path === '/api/auth/logout')).toHaveLength(1)
  })

  it.each(['<!doctype html><title>Sign in to the Wi-Fi</title>', '', '{}', 'null'])(
    'takes nothing that a proxy answers for an answer of the server: %j',
    async (proxyPage) => {
      const { storage, server, account, users, forgotten } = setUp()
      await account.signIn(credentials)
      server.state.proxyPage = proxyPage
      const unavailable = { code: 'unavailable' }
      const { password, email } = credentials
      await expect(account.sendPasswordLink(email)).rejects.toMatchObject(unavailable)
      await expect(account.connectProvider()).rejects.toMatchObject(unavailable)
      await expect(account.disconnectProvider({ password })).rejects.toMatchObject(unavailable)
      await expect(account.changeAddress({ password, email })).rejects.toMatchObject(unavailable)
      await expect(account.endSession(sessionId)).rejects.toMatchObject(unavailable)
      await expect(account.endOtherSessions()).rejects.toMatchObject(unavailable)
      await expect(account.deleteAccount({ proof: { password }, forget: true })).rejects.toMatchObject(
        unavailable,
      )
      expect([users, forgotten]).toEqual([['Anna'], []])

      await account.signOut({ everywhere: false, forget: false })
      server.state.proxyPage = undefined
      const again = setUp({ storage, server })
      await again.account.load()
      await again.account.finishSignOut()
      expect(server.state.calls.filter((path) => path === '/api/auth/logout')).toHaveLength(1)
    },
  )

  it('takes no page of a proxy for a reply, whatever the caller takes for one', async () => {
    const { server, account } = setUp()
    await account.signIn(credentials)
    server.state.proxyPage = '<!doctype html>'
    const anything = { safeParse: () => ({ success: true, data: null }) as const }
    const call = { method: 'POST', path: '/api/anything' } as const
    await expect(account.call(call, anything)).rejects.toMatchObject({ code: 'unavailable' })
    await expect(account.callAsNobody(call, anything)).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('is ended by its id alone, and not by text that leads to another path', async () => {
    const { server, account } = setUp()
    await account.signIn(credentials)
    const before = server.state.calls.length
    for (const wrong of ['', '..', '?', `../spaces/${'ab'.repeat(16)}`]) {
      // A caller in plain JavaScript could pass such an id.
      await expect(account.endSession(wrong as SessionId)).rejects.toMatchObject({
        code: 'invalid_request',
        body: { at: 'sessionId' },
      })
    }
    expect(server.state.calls).toHaveLength(before)
  })

  it('does not begin with what JSON cannot hold, which is not the fault of the server', async () => {
    const { server, account } = setUp()
    // A caller in plain JavaScript could pass such an address.
    const email = 1n as unknown as string
    const refused = { code: 'invalid_request' }
    await expect(account.signIn({ ...credentials, email })).rejects.toMatchObject(refused)
    await expect(account.signUp({ ...credentials, email, name: 'Anna' })).rejects.toMatchObject(refused)
    expect(server.state.calls).toEqual([])
  })

  it('continues under a new password, even if the socket is cut before the answer arrives', async () => {
    const { storage, server, account, users } = setUp()
    await account.signIn(credentials)
    await expect(account.changePassword({ password: 'wrong', newPassword: 'better' })).rejects.toMatchObject({
      code: 'wrong_credentials',
    })
    let refreshing: Promise<unknown> = Promise.resolve()
    server.state.beforeAnswer = async () => {
      // The connection does this when the server refuses its token.
      account.invalidate()
      refreshing = account.accessToken()
    }
    await account.changePassword({ password: credentials.password, newPassword: 'better' })
    expect(await refreshing).toMatchObject({ token: 'access-2' })
    expect(account.user).toEqual(anna)
    expect(users).toEqual(['Anna'])
    const again = setUp({ storage, server })
    await again.account.load()
    expect(await again.account.accessToken()).toMatchObject({ token: 'access-3' })
  })

  it('ends once the account is deleted, also for a socket that was cut before the answer arrives', async () => {
    const { storage, server, account, users } = setUp()
    await account.signIn(credentials)
    await expect(
      account.deleteAccount({ proof: { password: 'wrong' }, forget: false }),
    ).rejects.toMatchObject({
      code: 'wrong_credentials',
    })
    expect(account.user).toEqual(anna)
    let refreshing: Promise<unknown> = Promise.resolve()
    server.state.beforeAnswer = async () => {
      account.invalidate()
      refreshing = account.accessToken().catch((error: unknown) => error)
    }
    await account.deleteAccount({ proof: { password: credentials.password }, forget: false })
    expect(await refreshing).toMatchObject({ code: 'unauthenticated' })
    expect(users).toEqual(['Anna', null])
    const again = setUp({ storage, server })
    await again.account.load()
    expect([again.account.user, again.account.hasEnded]).toEqual([null, false])
  })

  it('is not used to delete the account of somebody who signed in meanwhile in another tab', async () => {
    const group = createTabGroup()
    const one = setUp({ tabs: group.tab() })
    await one.account.signIn(credentials)
    const ben = { ...anna, id: userIdSchema.parse('bb'.repeat(16)), name: 'Ben' }
    await one.storage.putConfig(sessionKey, { user: ben, refreshToken: 'x' })
    await expect(
      one.account.deleteAccount({ proof: { password: credentials.password }, forget: false }),
    ).rejects.toMatchObject({ code: 'forbidden' })
    expect(one.account.user).toEqual(ben)
    expect(one.server.state.calls).not.toContain('/api/auth/delete-account')
  })

  it('[SI9] shows the seal of an account that this device had, when somebody signs up with its address', async () => {
    const { storage, server, account } = setUp()
    const signUp = { ...credentials, name: 'Anna' }
    await account.signUp(signUp)
    account.invalidate()
    await account.accessToken()
    // The server was restored from an older copy, and has lost the account.
    server.state.sessionsEnded = true
    account.invalidate()
    await expect(account.accessToken()).rejects.toMatchObject({ code: 'unauthenticated' })
    server.state.sessionsEnded = false
    const again = setUp({ storage, server })
    await again.account.load()
    await again.account.signUp({ ...signUp, email: ' Anna@Example.org' })
    await again.account.signUp({ ...signUp, email: 'berta@example.org' })
    // The one of the renewal says the same as that of the sign-up, and was not stored.
    expect(server.state.shownSeals).toEqual([undefined, 'seal-1', undefined])
  })

  it('[SI9] forgets the seal of an account that was deleted', async () => {
    const { server, account } = setUp()
    await account.signUp({ ...credentials, name: 'Anna' })
    await account.deleteAccount({ proof: { password: credentials.password }, forget: false })
    await account.signUp({ ...credentials, name: 'Anna' })
    expect(server.state.shownSeals).toEqual([undefined, undefined])
  })

  it('is ignored when what is stored is not a session', async () => {
    const storage = memoryStorage()
    await storage.putConfig(sessionKey, { user: { id: '../../etc', name: 7 }, refreshToken: {} })
    const { account } = setUp({ storage })
    await account.load()
    expect(account.user).toBeNull()
    await expect(account.accessToken()).rejects.toMatchObject({ code: 'unauthenticated' })
  })
})
