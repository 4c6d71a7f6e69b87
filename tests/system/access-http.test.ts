import { randomHexId, sessionListSchema, type Role, type SpaceId } from '@t69/protocol'
import { apiRoutes, type ApiRoute } from '@t69/server'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createCast, signedIn, signedOut, type Cast, type SignedIn, type SignedOut } from '../lib/cast.ts'
import { password, startLiveServer, type LiveServer, type Person } from '../lib/live-server.ts'
import { passwordLink } from '../lib/operator.ts'

/**
 * What every caller gets from every HTTP route. A new route or a new role does not compile until it has its
 * rows here. That the server has these routes and no others is checked against its own description.
 */

type Caller = SignedOut | SignedIn
type Expected = Readonly<Record<Caller, string>>

interface Asked {
  readonly spaceId: SpaceId
  readonly caller: Caller
}

interface Row {
  /** Distinguishes the rows of one route. */
  readonly what?: string
  readonly path?: (asked: Asked) => Promise<string> | string
  readonly body?: (asked: Asked) => Promise<object> | object
  /** The caller's token. By default the one that the cast has for the caller. */
  readonly token?: (caller: Caller) => Promise<string | undefined>
  readonly expected: Expected
}

const callers: readonly Caller[] = [...signedOut, ...signedIn]
const unknown = '404 not_found'
const denied = '403 forbidden'

function everybody(outcome: string): Expected {
  return Object.fromEntries(callers.map((caller) => [caller, outcome])) as Expected
}

/** The outcomes of people. Anyone who is not signed in learns only that. */
function people(outcomes: Record<SignedIn, string>): Expected {
  return { ...everybody('401 unauthenticated'), ...outcomes }
}

/** To anyone but its members, a space looks as if it did not exist. */
function members(outcomes: Record<Role, string>): Expected {
  return people({ stranger: unknown, removed: unknown, ...outcomes })
}

const anyMember = members({ viewer: '200', editor: '200', owner: '200' })
const ownersOnly = (outcome: string) => members({ viewer: denied, editor: denied, owner: outcome })
/** The owner has the first account of the server, which is an admin’s. */
const adminsOnly = (outcome: string) =>
  people({ stranger: denied, removed: denied, viewer: denied, editor: denied, owner: outcome })
const allPeople = (outcome: string) =>
  people({ stranger: outcome, removed: outcome, viewer: outcome, editor: outcome, owner: outcome })

let server: LiveServer
let cast: Cast
beforeAll(async () => {
  server = await startLiveServer({ METRICS_TOKEN: 'the-token-of-the-operator-of-this-server' })
  cast = await createCast(server)
})
afterAll(async () => {
  await cast[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const userId = (who: SignedIn) => cast.people[who].user.id
const email = (who: SignedIn) => cast.people[who].user.email

const credential = { id: 'none', rawId: 'none', type: 'public-key' }
const passkey = {
  ...credential,
  response: { clientDataJSON: 'none', authenticatorData: 'none', signature: 'none' },
}
const newPasskey = { ...credential, response: { clientDataJSON: 'none', attestationObject: 'none' } }

const table: Readonly<Record<ApiRoute, readonly Row[]>> = {
  'GET /api/auth/registration': [{ expected: everybody('200') }],
  'GET /health': [{ expected: everybody('200') }],
  'GET /ready': [{ expected: everybody('200') }],
  // Only the operator's token is accepted.
  'GET /metrics': [{ expected: everybody('401 unauthenticated') }],
  'POST /api/auth/register': [
    {
      body: () => ({ email: `${randomHexId()}@example.org`, password, name: 'New' }),
      expected: everybody('201'),
    },
    {
      what: 'with somebody else’s address',
      body: () => ({ email: email('owner'), password, name: 'Not Olga' }),
      expected: everybody('409 already_exists'),
    },
  ],
  'POST /api/auth/login': [
    {
      what: 'with the password',
      body: () => ({ email: email('stranger'), password }),
      expected: everybody('200'),
    },
    {
      what: 'with another password',
      body: () => ({ email: email('owner'), password: 'guessed' }),
      expected: everybody('401 wrong_credentials'),
    },
    {
      what: 'to no account',
      body: () => ({ email: 'nobody@example.org', password }),
      expected: everybody('401 wrong_credentials'),
    },
  ],
  'POST /api/auth/refresh': [
    {
      body: ({ caller }) => ({ refreshToken: refreshTokenOf(caller) }),
      expected: allPeople('200'),
    },
  ],
  'POST /api/auth/logout': [
    {
      // Always succeeds, so that signing out works in any state of a device. Its effects: access-changes.test.ts.
      body: ({ caller }) => ({ refreshToken: refreshTokenOf(caller) }),
      expected: everybody('204'),
    },
  ],
  'POST /api/auth/change-password': [
    {
      what: 'with another password',
      body: () => ({ password: 'guessed', newPassword: 'mine from now on' }),
      expected: allPeople('401 wrong_credentials'),
    },
    {
      what: 'with the password',
      token: tokenOfSomebodyElse,
      body: () => ({ password, newPassword: 'mine from now on' }),
      expected: allPeople('200'),
    },
  ],
  'POST /api/auth/delete-account': [
    {
      what: 'with another password',
      body: () => ({ password: 'guessed' }),
      expected: allPeople('401 wrong_credentials'),
    },
    {
      what: 'with the password',
      token: async (caller) => (caller === 'owner' ? tokenOf(caller) : tokenOfSomebodyElse(caller)),
      body: () => ({ password }),
      // The other members would have no owner.
      expected: { ...allPeople('204'), owner: denied },
    },
  ],
  'POST /api/auth/password-link/preview': [
    {
      // Whoever has the link sees whose it is. It changes nothing.
      body: async () => ({ token: await passwordLink(server.dataDir, userId('owner')) }),
      expected: everybody('200'),
    },
    { what: 'with a guess', body: () => ({ token: 'A'.repeat(43) }), expected: everybody(unknown) },
  ],
  'POST /api/auth/password-link': [
    {
      // Whoever has the link is taken for its owner.
      body: async () => {
        const { user } = await server.signUp(`Forgetful ${randomHexId()}`)
        return { token: await passwordLink(server.dataDir, user.id), newPassword: 'mine from now on' }
      },
      expected: everybody('200'),
    },
    {
      what: 'with a guess',
      body: () => ({ token: 'A'.repeat(43), newPassword: 'mine from now on' }),
      expected: everybody(unknown),
    },
  ],
  // This server sends no mail, and what it answers then is the same for everybody as well.
  'POST /api/auth/forgotten-password': [
    { body: () => ({ email: email('owner') }), expected: everybody('404 not_found') },
  ],
  // This server knows no provider either.
  'POST /api/auth/provider': [
    { body: () => ({ purpose: 'sign-in' }), expected: everybody('404 not_found') },
    { body: () => ({ purpose: 'connect', password }), expected: everybody('404 not_found') },
  ],
  'GET /api/auth/provider/callback': [{ expected: everybody('404 not_found') }],
  'POST /api/auth/provider/sign-in': [{ body: () => ({}), expected: everybody('404 not_found') }],
  'POST /api/auth/provider/connect': [{ expected: allPeople('404 not_found') }],
  'POST /api/auth/provider/disconnect': [
    { body: () => ({ password }), expected: allPeople('404 not_found') },
  ],
  // Nor has it a name, for which there could be passkeys.
  'POST /api/auth/passkeys/challenge': [
    { body: () => ({ purpose: 'sign-in' }), expected: everybody('404 not_found') },
  ],
  'POST /api/auth/passkeys/sign-in': [{ body: () => ({ passkey }), expected: everybody('404 not_found') }],
  'GET /api/auth/passkeys': [{ expected: allPeople('200') }],
  'POST /api/auth/passkeys/creation': [{ body: () => ({ password }), expected: allPeople('404 not_found') }],
  'POST /api/auth/passkeys': [
    { body: () => ({ name: 'Laptop', passkey: newPasskey }), expected: allPeople('404 not_found') },
  ],
  'POST /api/auth/passkeys/remove': [
    {
      what: 'with another password',
      body: () => ({ id: 'none', password: 'guessed' }),
      expected: allPeople('401 wrong_credentials'),
    },
    {
      what: 'that the caller does not have',
      body: () => ({ id: 'none', password }),
      expected: allPeople(unknown),
    },
  ],
  'GET /api/me/ways-to-sign-in': [{ expected: allPeople('200') }],
  'POST /api/auth/change-address': [
    { body: () => ({ email: 'new@example.org', password }), expected: allPeople('404 not_found') },
  ],
  'POST /api/auth/change-address/confirm': [
    { body: () => ({ token: 'A'.repeat(43) }), expected: allPeople('410 invite_expired') },
  ],
  'GET /api/me': [{ expected: allPeople('200') }],
  'PATCH /api/me': [
    { token: tokenOfSomebodyElse, body: () => ({ name: 'Renamed' }), expected: allPeople('200') },
  ],
  'GET /api/sessions': [{ expected: allPeople('200') }],
  'DELETE /api/sessions': [{ token: tokenOfSomebodyElse, expected: allPeople('204') }],
  'DELETE /api/sessions/:sessionId': [
    {
      what: 'of somebody else',
      path: async () => `/api/sessions/${await sessionOf(cast.people.owner)}`,
      token: tokenOfSomebodyElse,
      expected: allPeople(unknown),
    },
    {
      what: 'of the caller',
      path: async ({ caller }) => {
        if (!isSignedIn(caller)) return `/api/sessions/${randomHexId()}`
        return `/api/sessions/${await sessionOf(await server.signIn(cast.people[caller]))}`
      },
      expected: allPeople('204'),
    },
  ],
  'POST /api/accounts/:userId': [
    {
      path: () => `/api/accounts/${userId('owner')}`,
      body: () => ({ seal: 'none' }),
      expected: allPeople('200'),
    },
    {
      what: 'that was never there',
      path: () => `/api/accounts/${randomHexId()}`,
      body: () => ({ seal: 'none' }),
      expected: allPeople('200'),
    },
  ],
  'GET /api/spaces': [{ expected: allPeople('200') }],
  'POST /api/spaces': [
    {
      what: 'with a new id',
      body: () => ({ id: randomHexId(), name: 'Mine' }),
      expected: allPeople('201'),
    },
    {
      what: 'with the id of this space',
      body: ({ spaceId }) => ({ id: spaceId, name: 'Taken over' }),
      expected: people({
        stranger: '409 already_exists',
        removed: '409 already_exists',
        viewer: '200',
        editor: '200',
        owner: '200',
      }),
    },
  ],
  'GET /api/spaces/:spaceId': [{ expected: anyMember }],
  'PATCH /api/spaces/:spaceId': [
    {
      body: () => ({ name: 'Renamed' }),
      expected: members({ viewer: denied, editor: '200', owner: '200' }),
    },
  ],
  'DELETE /api/spaces/:spaceId': [{ expected: ownersOnly('204') }],
  'GET /api/spaces/:spaceId/trees/:treeId': [{ expected: anyMember }],
  'GET /api/spaces/:spaceId/members': [{ expected: anyMember }],
  'PATCH /api/spaces/:spaceId/members/:userId': [
    {
      what: 'of somebody else',
      path: ({ spaceId }) => `/api/spaces/${spaceId}/members/${userId('viewer')}`,
      body: () => ({ role: 'editor' }),
      expected: ownersOnly('200'),
    },
    {
      what: 'of the caller, to owner',
      path: ({ spaceId, caller }) => `/api/spaces/${spaceId}/members/${selfOf(caller)}`,
      body: () => ({ role: 'owner' }),
      expected: ownersOnly('200'),
    },
    {
      what: 'of somebody who is not a member',
      path: ({ spaceId }) => `/api/spaces/${spaceId}/members/${userId('stranger')}`,
      body: () => ({ role: 'editor' }),
      expected: ownersOnly(unknown),
    },
  ],
  'DELETE /api/spaces/:spaceId/members/:userId': [
    {
      what: 'of somebody else',
      path: ({ spaceId, caller }) =>
        `/api/spaces/${spaceId}/members/${userId(caller === 'viewer' ? 'editor' : 'viewer')}`,
      expected: ownersOnly('204'),
    },
    {
      what: 'of the caller, who leaves',
      path: ({ spaceId, caller }) => `/api/spaces/${spaceId}/members/${selfOf(caller)}`,
      // The last owner stays.
      expected: members({ viewer: '204', editor: '204', owner: denied }),
    },
  ],
  'POST /api/spaces/:spaceId/invites': [
    {
      body: () => ({ role: 'editor' }),
      expected: ownersOnly('201'),
    },
  ],
  'GET /api/spaces/:spaceId/invites': [{ expected: ownersOnly('200') }],
  'DELETE /api/spaces/:spaceId/invites/:inviteId': [
    {
      path: async ({ spaceId }) => `/api/spaces/${spaceId}/invites/${await cast.inviteId(spaceId)}`,
      expected: ownersOnly('204'),
    },
    {
      what: 'of another space',
      path: async ({ spaceId }) =>
        `/api/spaces/${spaceId}/invites/${await cast.inviteId(await cast.space())}`,
      expected: ownersOnly(unknown),
    },
  ],
  'POST /api/invites/preview': [
    {
      body: async ({ spaceId }) => ({ token: await cast.invite(spaceId, 'viewer') }),
      // Whoever has the link sees what it is. It changes nothing.
      expected: everybody('200'),
    },
    { what: 'with a guess', body: () => ({ token: 'A'.repeat(43) }), expected: everybody(unknown) },
  ],
  'POST /api/invites/:token/accept': [
    {
      path: async ({ spaceId }) => `/api/invites/${await cast.invite(spaceId, 'viewer')}/accept`,
      // The invite is from after the removal. Older ones: access-invites.test.ts.
      expected: allPeople('200'),
    },
  ],
  'GET /api/admin/overview': [{ expected: adminsOnly('200') }],
  'POST /api/admin/registration': [{ body: () => ({ mode: 'open' }), expected: adminsOnly('200') }],
  'GET /api/admin/users': [{ expected: adminsOnly('200') }],
  'GET /api/admin/users/:id': [
    { path: () => `/api/admin/users/${userId('viewer')}`, expected: adminsOnly('200') },
    { what: 'of nobody', path: () => `/api/admin/users/${randomHexId()}`, expected: adminsOnly(unknown) },
  ],
  'POST /api/admin/users/:id/role': [
    {
      what: 'without the password',
      path: () => `/api/admin/users/${userId('viewer')}/role`,
      body: () => ({ role: 'admin', password: 'guessed' }),
      expected: adminsOnly('401 wrong_credentials'),
    },
    {
      what: 'with the password',
      path: async () => `/api/admin/users/${await somebodysId()}/role`,
      body: () => ({ role: 'admin', password }),
      expected: adminsOnly('200'),
    },
  ],
  'POST /api/admin/users/:id/password-link': [
    {
      what: 'without the password',
      path: () => `/api/admin/users/${userId('viewer')}/password-link`,
      body: () => ({ password: 'guessed' }),
      expected: adminsOnly('401 wrong_credentials'),
    },
    {
      what: 'with the password',
      path: async () => `/api/admin/users/${await somebodysId()}/password-link`,
      body: () => ({ password }),
      expected: adminsOnly('200'),
    },
  ],
  'POST /api/admin/users/:id/sign-out': [
    {
      path: async () => `/api/admin/users/${await somebodysId()}/sign-out`,
      expected: adminsOnly('204'),
    },
  ],
  'POST /api/admin/users/:id/delete': [
    {
      what: 'without the password',
      path: () => `/api/admin/users/${userId('viewer')}/delete`,
      body: () => ({ password: 'guessed' }),
      expected: adminsOnly('401 wrong_credentials'),
    },
    {
      what: 'with the password',
      path: async () => `/api/admin/users/${await somebodysId()}/delete`,
      body: () => ({ password }),
      expected: adminsOnly('204'),
    },
    {
      what: 'of the caller',
      path: ({ caller }) => `/api/admin/users/${selfOf(caller)}/delete`,
      body: () => ({ password }),
      expected: adminsOnly(denied),
    },
  ],
  'GET /api/admin/spaces': [{ expected: adminsOnly('200') }],
  'GET /api/admin/spaces/:id': [
    { path: ({ spaceId }) => `/api/admin/spaces/${spaceId}`, expected: adminsOnly('200') },
  ],
  'POST /api/admin/spaces/:id/delete': [
    {
      what: 'without the password',
      path: ({ spaceId }) => `/api/admin/spaces/${spaceId}/delete`,
      body: () => ({ password: 'guessed' }),
      expected: adminsOnly('401 wrong_credentials'),
    },
    {
      what: 'with the password',
      path: ({ spaceId }) => `/api/admin/spaces/${spaceId}/delete`,
      body: () => ({ password }),
      expected: adminsOnly('204'),
    },
  ],
  'GET /api/admin/connections': [{ expected: adminsOnly('200') }],
  'GET /api/admin/audit': [{ expected: adminsOnly('200') }],
  'GET /api/admin/invites': [{ expected: adminsOnly('200') }],
  'POST /api/admin/invites': [{ expected: adminsOnly('201') }],
  'DELETE /api/admin/invites/:id': [
    { path: () => `/api/admin/invites/${'0'.repeat(64)}`, expected: adminsOnly(unknown) },
  ],
}

/** Refresh tokens of separate sessions, because refreshing twice or signing out ends a session. */
const freshSessions = new Map<Caller, string>()

function refreshTokenOf(caller: Caller): string | undefined {
  return isSignedIn(caller) ? freshSessions.get(caller) : cast.tokens[caller].refresh
}

function isSignedIn(caller: Caller): caller is SignedIn {
  return caller in cast.people
}

function selfOf(caller: Caller): string {
  return isSignedIn(caller) ? userId(caller) : userId('owner')
}

function tokenOf(caller: Caller): string | undefined {
  return isSignedIn(caller) ? cast.people[caller].token : cast.tokens[caller].access
}

/** The id of the session that a person's token is of. */
async function sessionOf(person: Person): Promise<string> {
  const list = sessionListSchema.parse((await person.call('GET', '/api/sessions')).body)
  return list.sessions.find(({ isThis }) => isThis)?.id ?? ''
}

/** For requests that end the caller's sessions: the token of a new account for each caller who is signed in. */
async function tokenOfSomebodyElse(caller: Caller): Promise<string | undefined> {
  return isSignedIn(caller) ? (await server.signUp(`Somebody ${randomHexId()}`)).token : tokenOf(caller)
}

/** The id of a new account. */
async function somebodysId(): Promise<string> {
  return (await server.signUp(`Somebody ${randomHexId()}`)).user.id
}

/** Everything that the owner sees of the space. */
async function shown(spaceId: SpaceId): Promise<unknown> {
  const { owner } = cast.people
  const paths = ['', '/members', `/trees/${spaceId}`]
  return Promise.all(
    paths.map(async (path) => (await owner.call('GET', `/api/spaces/${spaceId}${path}`)).body),
  )
}

test('the server describes every route, and no other', async () => {
  const description = (await server.call(undefined, 'GET', '/docs/json')).body
  const { paths } = description as { paths: Record<string, Record<string, unknown>> }
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  )
  expect(routes.toSorted()).toEqual(apiRoutes.toSorted())
})

test('the server answers every route and no other, apart from the description and the app’s files', () => {
  const printed = server.server.http.printRoutes({ commonPrefix: false, includeHooks: false })
  const routes = routesIn(printed).filter((route) => !/ \/docs|\*$/.test(route))
  expect(routes.toSorted(), printed).toEqual(apiRoutes.toSorted())
})

/** Reads the routes from the indented tree that Fastify prints: `│   └── /:spaceId (GET, HEAD, PATCH)`. */
function routesIn(printed: string): string[] {
  const parents: string[] = []
  return printed.split('\n').flatMap((line) => {
    const [, indent = '', part = '', methods = ''] = /^([│ ├└─]*)(\S*)(?: \(([A-Z, ]+)\))?/.exec(line) ?? []
    const depth = indent.length / 4
    const path = (parents[depth - 1] ?? '') + part
    parents[depth] = path
    return methods
      .split(', ')
      .flatMap((method) => (method === '' || method === 'HEAD' ? [] : `${method} ${path}`))
  })
}

const rows = apiRoutes.flatMap((route) =>
  table[route].map((row) => ({
    ...row,
    route,
    name: row.what === undefined ? route : `${route}, ${row.what}`,
  })),
)

test.each(rows)(
  '$name: each caller gets the expected outcome, and a refusal changes nothing',
  async ({ route, path, body, token, expected }) => {
    const [method = '', pattern = ''] = route.split(' ')
    if (route === 'POST /api/auth/refresh' || route === 'POST /api/auth/logout') {
      for (const who of signedIn) {
        freshSessions.set(who, (await server.signIn(cast.people[who])).refreshToken)
      }
    }
    const outcomes: Partial<Record<Caller, string>> = {}
    let spaceId = await cast.space()
    for (const caller of callers) {
      const asked = { spaceId, caller }
      const plain = pattern.replace(':spaceId', spaceId).replace(':treeId', spaceId)
      const url = path === undefined ? plain : await path(asked)
      const before = await shown(spaceId)
      const asking = token === undefined ? tokenOf(caller) : await token(caller)
      const reply = await server.call(asking, method, url, await body?.(asked))
      outcomes[caller] = reply.outcome
      const isRefused = reply.status >= 400
      const isTold = caller !== 'owner' && JSON.stringify(reply.body).includes('Shared')
      expect(isRefused && isTold, caller).toBe(false)
      if (!/spaces|invites/.test(route)) continue
      const isChanged = !isRefused && method !== 'GET'
      expect(isChanged ? before : await shown(spaceId), `after ${caller}`).toEqual(before)
      if (isChanged) spaceId = await cast.space()
    }
    expect(outcomes).toEqual(expected)
  },
)

test('the list of spaces has those that the person is a member of, and no others', async () => {
  const spaceId = await cast.space()
  for (const who of signedIn) {
    const list = JSON.stringify((await cast.people[who].call('GET', '/api/spaces')).body)
    expect(list.includes(spaceId), who).toBe(!['stranger', 'removed'].includes(who))
  }
})

test('a tree can be read only through its own space, and invalid ids are refused', async () => {
  const [spaceId, other] = [await cast.space(), await cast.space()]
  const { owner } = cast.people
  const read = async (path: string) => (await owner.call('GET', path)).outcome
  expect(await read(`/api/spaces/${spaceId}/trees/${other}`)).toBe(unknown)
  for (const trick of [
    '..%2F..%2Fplatform',
    '..%5C..',
    spaceId.toUpperCase(),
    `${spaceId}0`,
    '__proto__',
    '%00',
    '*',
  ]) {
    expect(await read(`/api/spaces/${trick}`), trick).toBe('400 invalid_request')
    expect(await read(`/api/spaces/${trick}/trees/${spaceId}`), trick).toBe('400 invalid_request')
    const made = await owner.call('POST', '/api/spaces', { id: decodeURIComponent(trick), name: 'Trick' })
    expect(made.outcome, trick).toBe('400 invalid_request')
  }
  for (const trick of [
    '..%2F..%2Fplatform',
    '__proto__',
    'constructor',
    'a@b',
    'x'.repeat(65),
    '%E2%80%8B',
  ]) {
    expect(await read(`/api/spaces/${spaceId}/trees/${trick}`), trick).toBe('400 invalid_request')
  }
})

test('the access token is accepted only in its header', async () => {
  const { token } = cast.people.owner
  for (const path of [`/api/me?token=${token}`, `/api/me?access_token=${token}`]) {
    expect((await server.call(undefined, 'GET', path)).outcome).toBe('401 unauthenticated')
  }
  const cookie = { cookie: `t69_refresh=${cast.people.owner.refreshToken}; token=${token}` }
  expect((await fetch(`${server.url}/api/me`, { headers: cookie })).status).toBe(401)
})
