import { randomHexId, type SpaceId } from '@t69/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createCast, signedIn, signedOut, type Cast, type SignedIn, type SignedOut } from '../lib/cast.ts'
import { password, startLiveServer, type LiveServer } from '../lib/live-server.ts'

/**
 * Each HTTP route against everybody whom the rules tell apart. The routes come from the server's own
 * description of itself: one without a row here fails.
 */

type Caller = SignedOut | SignedIn
type Expected = Record<Caller, string>

interface Asked {
  readonly spaceId: SpaceId
  readonly caller: Caller
}

interface Row {
  /** As the description has it. */
  readonly route: string
  /** What is asked of it, where there is more than one thing. */
  readonly what?: string
  readonly path?: (asked: Asked) => Promise<string> | string
  readonly body?: (asked: Asked) => object
  /** The caller's token, where it is not that of the cast. */
  readonly token?: (caller: Caller) => Promise<string | undefined>
  readonly expected: Expected
}

const callers: readonly Caller[] = [...signedOut, ...signedIn]
const unknown = '404 not_found'
const denied = '403 forbidden'

function everybody(outcome: string): Expected {
  return Object.fromEntries(callers.map((caller) => [caller, outcome])) as Expected
}

/** Whoever is not signed in learns nothing but that. */
function people(outcomes: Record<SignedIn, string>): Expected {
  return { ...everybody('401 unauthenticated'), ...outcomes }
}

/** For others than its members a space is not there. */
function members(outcomes: Record<'viewer' | 'editor' | 'owner', string>): Expected {
  return people({ stranger: unknown, removed: unknown, ...outcomes })
}

const anyMember = members({ viewer: '200', editor: '200', owner: '200' })
const ownersOnly = (outcome: string) => members({ viewer: denied, editor: denied, owner: outcome })
const allPeople = (outcome: string) =>
  people({ stranger: outcome, removed: outcome, viewer: outcome, editor: outcome, owner: outcome })

let server: LiveServer
let cast: Cast
beforeAll(async () => {
  server = await startLiveServer()
  cast = await createCast(server)
})
afterAll(async () => {
  await cast[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const userId = (who: SignedIn) => cast.people[who].user.id
const email = (who: SignedIn) => cast.people[who].user.email

const rows: readonly Row[] = [
  { route: 'GET /health', expected: everybody('200') },
  { route: 'GET /ready', expected: everybody('200') },
  {
    route: 'POST /api/auth/register',
    body: () => ({ email: `${randomHexId()}@example.org`, password, name: 'New' }),
    expected: everybody('201'),
  },
  {
    route: 'POST /api/auth/register',
    what: 'with somebody else’s address',
    body: () => ({ email: email('owner'), password, name: 'Not Olga' }),
    expected: everybody('409 already_exists'),
  },
  {
    route: 'POST /api/auth/login',
    what: 'with the password',
    body: () => ({ email: email('stranger'), password }),
    expected: everybody('200'),
  },
  {
    route: 'POST /api/auth/login',
    what: 'with another password',
    body: () => ({ email: email('owner'), password: 'guessed' }),
    expected: everybody('401 wrong_credentials'),
  },
  {
    route: 'POST /api/auth/login',
    what: 'to no account',
    body: () => ({ email: 'nobody@example.org', password }),
    expected: everybody('401 wrong_credentials'),
  },
  {
    route: 'POST /api/auth/refresh',
    body: ({ caller }) => ({ refreshToken: refreshTokenOf(caller) }),
    expected: allPeople('200'),
  },
  {
    // Always fine, so that signing out works whatever state a device is in. What it ends: access-changes.test.ts.
    route: 'POST /api/auth/logout',
    body: ({ caller }) => ({ refreshToken: refreshTokenOf(caller) }),
    expected: everybody('204'),
  },
  {
    route: 'POST /api/auth/change-password',
    what: 'with another password',
    body: () => ({ password: 'guessed', newPassword: 'mine from now on' }),
    expected: allPeople('401 wrong_credentials'),
  },
  {
    route: 'POST /api/auth/change-password',
    what: 'with the password',
    token: tokenOfSomebodyElse,
    body: () => ({ password, newPassword: 'mine from now on' }),
    expected: allPeople('200'),
  },
  {
    route: 'POST /api/auth/delete-account',
    what: 'with another password',
    body: () => ({ password: 'guessed' }),
    expected: allPeople('401 wrong_credentials'),
  },
  {
    route: 'POST /api/auth/delete-account',
    what: 'with the password',
    token: async (caller) => (caller === 'owner' ? tokenOf(caller) : tokenOfSomebodyElse(caller)),
    body: () => ({ password }),
    // Others would be left without an owner.
    expected: { ...allPeople('204'), owner: denied },
  },
  { route: 'GET /api/me', expected: allPeople('200') },
  { route: 'GET /api/spaces', expected: allPeople('200') },
  {
    route: 'POST /api/spaces',
    what: 'with a new id',
    body: () => ({ id: randomHexId(), name: 'Mine' }),
    expected: allPeople('201'),
  },
  {
    route: 'POST /api/spaces',
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
  { route: 'GET /api/spaces/{spaceId}', expected: anyMember },
  {
    route: 'PATCH /api/spaces/{spaceId}',
    body: () => ({ name: 'Renamed' }),
    expected: members({ viewer: denied, editor: '200', owner: '200' }),
  },
  { route: 'DELETE /api/spaces/{spaceId}', expected: ownersOnly('204') },
  { route: 'GET /api/spaces/{spaceId}/trees/{treeId}', expected: anyMember },
  { route: 'GET /api/spaces/{spaceId}/members', expected: anyMember },
  {
    route: 'PATCH /api/spaces/{spaceId}/members/{userId}',
    what: 'somebody else',
    path: ({ spaceId }) => `/api/spaces/${spaceId}/members/${userId('viewer')}`,
    body: () => ({ role: 'editor' }),
    expected: ownersOnly('200'),
  },
  {
    route: 'PATCH /api/spaces/{spaceId}/members/{userId}',
    what: 'making oneself an owner',
    path: ({ spaceId, caller }) => `/api/spaces/${spaceId}/members/${selfOf(caller)}`,
    body: () => ({ role: 'owner' }),
    expected: ownersOnly('200'),
  },
  {
    route: 'PATCH /api/spaces/{spaceId}/members/{userId}',
    what: 'somebody who is no member',
    path: ({ spaceId }) => `/api/spaces/${spaceId}/members/${userId('stranger')}`,
    body: () => ({ role: 'editor' }),
    expected: ownersOnly(unknown),
  },
  {
    route: 'DELETE /api/spaces/{spaceId}/members/{userId}',
    what: 'somebody else',
    path: ({ spaceId, caller }) =>
      `/api/spaces/${spaceId}/members/${userId(caller === 'viewer' ? 'editor' : 'viewer')}`,
    expected: ownersOnly('204'),
  },
  {
    route: 'DELETE /api/spaces/{spaceId}/members/{userId}',
    what: 'leaving',
    path: ({ spaceId, caller }) => `/api/spaces/${spaceId}/members/${selfOf(caller)}`,
    // The last owner stays.
    expected: members({ viewer: '204', editor: '204', owner: denied }),
  },
  {
    route: 'POST /api/spaces/{spaceId}/invites',
    body: () => ({ role: 'editor' }),
    expected: ownersOnly('201'),
  },
  { route: 'GET /api/spaces/{spaceId}/invites', expected: ownersOnly('200') },
  {
    route: 'DELETE /api/spaces/{spaceId}/invites/{inviteId}',
    path: async ({ spaceId }) => `/api/spaces/${spaceId}/invites/${await cast.inviteId(spaceId)}`,
    expected: ownersOnly('204'),
  },
  {
    route: 'DELETE /api/spaces/{spaceId}/invites/{inviteId}',
    what: 'of another space',
    path: async ({ spaceId }) => `/api/spaces/${spaceId}/invites/${await cast.inviteId(await cast.space())}`,
    expected: ownersOnly(unknown),
  },
  {
    route: 'POST /api/invites/{token}/accept',
    path: async ({ spaceId }) => `/api/invites/${await cast.invite(spaceId, 'viewer')}/accept`,
    // The invite is from after the removal. Older ones: access-invites.test.ts.
    expected: allPeople('200'),
  },
]

/** Of sessions of their own: what is refreshed twice, or signed out, is gone. */
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

/** For what ends the sessions of whoever does it: an account of its own for each who is signed in. */
async function tokenOfSomebodyElse(caller: Caller): Promise<string | undefined> {
  return isSignedIn(caller) ? (await server.signUp(`Somebody ${randomHexId()}`)).token : tokenOf(caller)
}

/** What the owner sees of the space. */
async function shown(spaceId: SpaceId): Promise<unknown> {
  const { owner } = cast.people
  const paths = ['', '/members', `/trees/${spaceId}`]
  return Promise.all(
    paths.map(async (path) => (await owner.call('GET', `/api/spaces/${spaceId}${path}`)).body),
  )
}

test('every route that the server has is in the table', async () => {
  const description = (await server.call(undefined, 'GET', '/docs/json')).body
  const { paths } = description as { paths: Record<string, Record<string, unknown>> }
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(routes.length).toBeGreaterThan(15)
  expect(new Set(rows.map(({ route }) => route))).toEqual(new Set(routes))
})

test('no route is left out of the description, but for the description itself and the app’s files', () => {
  const printed = server.server.http.printRoutes({ commonPrefix: false, includeHooks: false })
  const routes = routesIn(printed).filter((route) => !/ \/docs|\*$/.test(route))
  expect(routes.length, printed).toBeGreaterThan(15)
  const described = rows.map(({ route }) => route.replaceAll(/\{(\w+)\}/g, ':$1'))
  expect(new Set(described)).toEqual(new Set(routes))
})

/** The routes of what Fastify prints as an indented tree: `│   └── /:spaceId (GET, HEAD, PATCH)`. */
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

test.each(
  rows.map((row) => ({ ...row, name: `${row.route}${row.what === undefined ? '' : `, ${row.what}`}` })),
)(
  '$name: each caller gets what is theirs, and a refusal changes nothing',
  async ({ route, path, body, token, expected }) => {
    const [method = '', pattern = ''] = route.split(' ')
    if (route === 'POST /api/auth/refresh' || route === 'POST /api/auth/logout') {
      for (const who of signedIn) {
        freshSessions.set(who, (await server.signIn(cast.people[who])).refreshToken)
      }
    }
    const outcomes: Partial<Expected> = {}
    let spaceId = await cast.space()
    for (const caller of callers) {
      const asked = { spaceId, caller }
      const plain = pattern.replace('{spaceId}', spaceId).replace('{treeId}', spaceId)
      const url = path === undefined ? plain : await path(asked)
      const before = await shown(spaceId)
      const asking = token === undefined ? tokenOf(caller) : await token(caller)
      const reply = await server.call(asking, method, url, body?.(asked))
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

test('people see the spaces that they are in, and no others', async () => {
  const spaceId = await cast.space()
  for (const who of signedIn) {
    const list = JSON.stringify((await cast.people[who].call('GET', '/api/spaces')).body)
    expect(list.includes(spaceId), who).toBe(!['stranger', 'removed'].includes(who))
  }
})

test('a tree is read through its own space only, and ids that are no ids reach nothing', async () => {
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

test('the access token is taken from its header and from nowhere else', async () => {
  const { token } = cast.people.owner
  for (const path of [`/api/me?token=${token}`, `/api/me?access_token=${token}`]) {
    expect((await server.call(undefined, 'GET', path)).outcome).toBe('401 unauthenticated')
  }
  const cookie = { cookie: `t69_refresh=${cast.people.owner.refreshToken}; token=${token}` }
  expect((await fetch(`${server.url}/api/me`, { headers: cookie })).status).toBe(401)
})
