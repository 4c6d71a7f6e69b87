import { errorResponseSchema, type SpaceId } from '@t69/protocol'
import { createHttpHarness, password, type HttpHarness, type Person } from '@t69/server/testing/http-harness'

import { createDraw, drawRelative, drawValue, type Draw } from '../draw.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { hostileNames } from '../mutate-batch.ts'
import { mutateBytes } from '../mutate-bytes.ts'

const methods = ['GET', 'POST', 'PATCH', 'DELETE', 'PUT', 'HEAD', 'OPTIONS'] as const
const contentTypes = [
  'application/json',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'x',
]
const unlimited = {
  SIGN_IN_LIMIT_PER_ADDRESS: '1000000',
  SIGN_IN_LIMIT_PER_ACCOUNT: '1000000',
  REQUEST_LIMIT_PER_ADDRESS: '1000000',
  REQUEST_LIMIT_PER_USER: '1000000',
}
/** The fields of all routes' bodies: each route reads those that it knows. */
const body = {
  email: 'a@example.org',
  password,
  name: 'A name',
  session: 'body',
  role: 'editor',
  everywhere: false,
  token: 'x'.repeat(43),
  newPassword: password,
}

interface Route {
  readonly method: (typeof methods)[number]
  /** A path with parameters, such as `/api/spaces/{spaceId}`. */
  readonly path: string
}

/**
 * Any HTTP request, to a route of the OpenAPI document or elsewhere, is answered with a status below 500. A refusal has
 * the form of every error.
 */
export async function httpTarget(): Promise<FuzzTarget> {
  const harness = await createHttpHarness(unlimited)
  const routes = routesOf(harness)
  let people = 0
  return {
    seeds: (random) =>
      Array.from({ length: 200 }, (_, index) =>
        Uint8Array.from({ length: 6 + (index % 40) * 2 }, () => random.below(256)),
      ),
    mutate: mutateBytes,
    run: async (input) => {
      const draw = createDraw(input)
      const owner = await harness.signUp(`p${people++}`)
      const spaceId = harness.space(owner)
      const outcomes = new Set<string>()
      for (let left = 5; left > 0 && draw.left > 0; left--) {
        outcomes.add(await call(harness, draw, routes, owner, spaceId))
      }
      return [...outcomes].sort().join(', ')
    },
    close: async () => harness[Symbol.asyncDispose](),
  }
}

function routesOf({ app }: HttpHarness): Route[] {
  return Object.entries(app.swagger().paths ?? {}).flatMap(([path, operations = {}]) =>
    methods.filter((method) => method.toLowerCase() in operations).map((method) => ({ method, path })),
  )
}

async function call(
  { app, platform }: HttpHarness,
  draw: Draw,
  routes: readonly Route[],
  owner: Person,
  spaceId: SpaceId,
): Promise<string> {
  const route = draw.pick(routes)
  const method = draw.below(10) === 0 ? draw.pick(methods) : route.method
  const values: Record<string, string> = {
    spaceId,
    userId: owner.user.id,
    treeId: spaceId,
    token: 'x'.repeat(43),
  }
  const filled = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    drawSegment(draw, values[name] ?? spaceId),
  )
  const url =
    draw.below(10) === 0
      ? `${filled}${draw.pick(['?a=1', '?a[__proto__]=1', '?%zz', '//', '/..', '#x'])}`
      : filled
  const authorization = draw.pick([
    ...Array.from({ length: 4 }, () => `Bearer ${owner.session.accessToken}`),
    'Bearer ',
    'Basic YTpi',
    `Bearer ${'x.'.repeat(3_000)}`,
    '',
  ])
  // An earlier request may have deleted the space.
  const spaceSeal = platform.accessLists.of(spaceId) && platform.accessLists.seal(spaceId).seal
  const seal = draw.pick([spaceSeal ?? 'x', owner.session.seal, 'x'.repeat(500_000)])
  const payload = method === 'GET' || method === 'HEAD' ? undefined : drawBody(draw, spaceId, owner, seal)
  const contentType = draw.below(6) === 0 ? draw.pick(contentTypes) : 'application/json'
  const response = await app.inject({
    method,
    url,
    headers: {
      authorization,
      ...(draw.below(8) === 0 && { cookie: draw.pick(['t69_session=x', ';;;=', `a=${'b'.repeat(9_000)}`]) }),
      ...(draw.below(8) === 0 && { origin: draw.pick(['null', 'https://evil.example', 'x']) }),
      ...(payload !== undefined && { 'content-type': contentType }),
    },
    ...(payload !== undefined && { payload }),
  })
  const where = `${method} ${route.path}`
  if (response.statusCode >= 500) throw new Error(`${where} answers ${response.statusCode}: ${response.body}`)
  if (response.statusCode < 400 || method === 'HEAD' || !route.path.startsWith('/api/')) {
    return `${where} ${response.statusCode}`
  }
  const { error } = errorResponseSchema.parse(JSON.parse(response.body))
  return `${where} ${error.code}`
}

function drawSegment(draw: Draw, honest: string): string {
  switch (draw.below(6)) {
    case 0:
      return encodeURIComponent(draw.pick(hostileNames))
    case 1:
      return draw.pick([
        '%2e%2e%2fplatform',
        '..',
        '%00',
        '%zz',
        '%ff',
        'a'.repeat(5_000),
        ' ',
        '%F0%9F%98%80',
      ])
    default:
      return honest
  }
}

function drawBody(draw: Draw, id: string, owner: Person, seal: string): string | undefined {
  if (draw.below(12) === 0) return undefined
  if (draw.below(12) === 0) return Buffer.from(draw.bytes(40)).toString('latin1')
  const { refreshToken } = owner.session
  const secrets = {
    newPassword: 'correct horse',
    currentPassword: draw.pick([password, 'wrong']),
    refreshToken,
  }
  const value =
    draw.below(6) === 0
      ? drawValue(draw)
      : drawRelative(draw, { ...body, ...secrets, id, seal, registration: id })
  try {
    return JSON.stringify(value)
  } catch {
    // The value is too deep for JSON.stringify. This text is too deep for a recursive parser as well.
    return '['.repeat(30_000) + ']'.repeat(30_000)
  }
}
