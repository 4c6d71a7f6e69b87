import {
  inviteListSchema,
  limits,
  memberListSchema,
  randomHexId,
  spaceIdSchema,
  spaceListSchema,
} from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { createHttpHarness, type HttpHarness, type Person } from '../testing/http-harness.ts'

interface Page {
  readonly next?: string | undefined
}

/** Reads the list at `path` in pages of `limit` to its end. `meanwhile` runs after each page. */
async function readAll<P extends Page>(
  person: Person,
  path: string,
  limit: number,
  schema: { parse(body: unknown): P },
  meanwhile: (page: P) => void = () => {},
): Promise<P[]> {
  const pages: P[] = []
  let after = ''
  for (;;) {
    const page = schema.parse((await person.call('GET', `${path}?limit=${limit}${after}`)).body)
    pages.push(page)
    meanwhile(page)
    if (page.next === undefined) return pages
    after = `&after=${page.next}`
  }
}

function addSpaces(harness: HttpHarness, owner: Person, count: number, name = 'Space'): string[] {
  const ids: string[] = []
  for (let index = 0; index < count; index++) {
    const id = spaceIdSchema.parse(randomHexId())
    // Several are registered at the same moment.
    harness.platform.spaceRecords.add({ id, name }, owner.user.id, harness.clock.now + Math.floor(index / 3))
    ids.push(id)
  }
  return ids
}

/** Takes 6 bytes a character in JSON. */
const widestName = '\u0001'.repeat(200)

describe('a list in pages', () => {
  it.each([1, 7, 20, 21, 1_000])(
    '[LI13] has each space once, oldest first, and %i at most in a page',
    async (limit) => {
      await using harness = await createHttpHarness()
      const anna = await harness.signUp('Anna')
      const ids = addSpaces(harness, anna, 20)
      const pages = await readAll(anna, '/api/spaces', limit, spaceListSchema)
      const spaces = pages.flatMap((page) => page.spaces)
      expect(Math.max(...pages.map((page) => page.spaces.length))).toBeLessThanOrEqual(limit)
      expect(pages).toHaveLength(Math.ceil(20 / limit))
      expect(spaces.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
      const times = spaces.map(({ createdAt }) => createdAt)
      expect(times).toEqual(times.toSorted((a, b) => a - b))
    },
  )

  it('[LI13] goes on where it was while spaces come and go', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    addSpaces(harness, anna, 12)
    const all = harness.platform.spaceRecords.listFor(anna.user.id)
    const seen = await readAll(anna, '/api/spaces', 5, spaceListSchema, ({ spaces, next }) => {
      const last = spaces.at(-1)
      if (next === undefined || last === undefined) return
      // The one that the next page begins after.
      harness.platform.spaceRecords.remove(last.id, harness.clock.now)
      harness.clock.now++
      addSpaces(harness, anna, 1)
    })
    const ids = seen.flatMap(({ spaces }) => spaces.map(({ id }) => id))
    expect(ids).toEqual(expect.arrayContaining(all.map(({ id }) => id)))
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('[LI13] keeps to the size of a message, and so does the first page of who names no limit', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const ids = addSpaces(harness, anna, 1_500, widestName)
    const sizes: number[] = []
    let after = ''
    let listed = 0
    do {
      const url = `/api/spaces${after}`
      const headers = { authorization: `Bearer ${anna.session.accessToken}` }
      const { rawPayload } = await harness.app.inject({ method: 'GET', url, headers })
      sizes.push(rawPayload.byteLength)
      const page = spaceListSchema.parse(JSON.parse(rawPayload.toString()))
      listed += page.spaces.length
      after = page.next === undefined ? '' : `?after=${page.next}`
    } while (after !== '')
    expect(listed).toBe(ids.length)
    expect(sizes.length).toBeGreaterThan(1)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(limits.maxMessageBytes)
    // As much as fits, since an older client asks for no second page.
    expect(sizes[0]).toBeGreaterThan(0.99 * limits.maxMessageBytes)
  })

  it('[LI13] has each member once, absent or not, in the order in which they joined', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const others = await Promise.all(['Ben', 'Cleo', 'Dora', 'Emil'].map((name) => harness.signUp(name)))
    const spaceId = harness.space(
      anna,
      others.map((person) => [person, 'editor'] as const),
    )
    // The server has lost two of them.
    const { accessLists } = harness.platform
    const list = accessLists.list(spaceId)
    const [since, lost] = [randomHexId(), ['Ben', 'Dora']]
    accessLists.merge({
      ...list,
      accessId: since as typeof list.accessId,
      accessIds: [...list.accessIds, list.accessId],
      entries: list.entries.map((entry) =>
        lost.includes(entry.name)
          ? { ...entry, userId: randomHexId() as typeof entry.userId, since: since as typeof entry.since }
          : entry,
      ),
    })
    const pages = await readAll(anna, `/api/spaces/${spaceId}/members`, 2, memberListSchema)
    const names = (of: 'members' | 'absent') => pages.flatMap((page) => page[of].map(({ user }) => user.name))
    expect(names('members')).toEqual(['Anna', 'Cleo', 'Emil'])
    expect(names('absent')).toEqual(['Ben', 'Dora'])
    for (const { members, absent } of pages) expect(members.length + absent.length).toBeLessThanOrEqual(2)
  })

  it('[LI13] has each invite once, newest first', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const spaceId = harness.space(anna)
    for (let index = 0; index < 9; index++) {
      harness.clock.now += index % 2
      await anna.call('POST', `/api/spaces/${spaceId}/invites`, { role: 'viewer' })
    }
    const whole = inviteListSchema.parse((await anna.call('GET', `/api/spaces/${spaceId}/invites`)).body)
    const pages = await readAll(anna, `/api/spaces/${spaceId}/invites`, 2, inviteListSchema)
    expect(pages).toHaveLength(5)
    expect(pages.flatMap(({ invites }) => invites)).toEqual(whole.invites)
    const times = whole.invites.map(({ createdAt }) => createdAt)
    expect(times).toEqual(times.toSorted((a, b) => b - a))
  })

  it.each([
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=many', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['after=', 'after'],
    ['after=1', 'after'],
    [`after=-1.${'a'.repeat(32)}`, 'after'],
    [`after=1.${'a'.repeat(32)}'--`, 'after'],
    [`after=${'1'.repeat(200)}`, 'after'],
  ])('[LI13] is refused for %s', async (query, at) => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const spaceId = harness.space(anna)
    for (const path of ['/api/spaces', `/api/spaces/${spaceId}/members`, `/api/spaces/${spaceId}/invites`]) {
      expect(await anna.call('GET', `${path}?${query}`)).toMatchObject({
        status: 400,
        body: { error: { code: 'invalid_request', at } },
      })
    }
  })
})

describe('the list of spaces', () => {
  it('[LI14] is not sent again while it is the same, and to nobody who is not signed in', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const spaceId = harness.space(anna)
    const ask = async (etag?: string, token = anna.session.accessToken) =>
      harness.app.inject({
        method: 'GET',
        url: '/api/spaces',
        headers: { authorization: `Bearer ${token}`, ...(etag !== undefined && { 'if-none-match': etag }) },
      })
    const first = await ask()
    const etag = String(first.headers.etag)
    expect(first.headers['cache-control']).toBe('no-store')
    for (const same of [etag, `W/${etag}`]) {
      const again = await ask(same)
      expect([again.statusCode, again.body]).toEqual([304, ''])
    }
    expect((await ask(etag, 'nobody')).statusCode).toBe(401)
    await anna.call('PATCH', `/api/spaces/${spaceId}`, { name: 'Other' })
    const changed = await ask(etag)
    expect(changed.statusCode).toBe(200)
    expect(spaceListSchema.parse(changed.json()).spaces).toMatchObject([{ name: 'Other' }])
  })

  it('[LI14] has an ETag of its own: no other answer of the API has one', async () => {
    await using harness = await createHttpHarness()
    const anna = await harness.signUp('Anna')
    const spaceId = harness.space(anna)
    const headers = { authorization: `Bearer ${anna.session.accessToken}` }
    for (const url of ['/api/me', `/api/spaces/${spaceId}`, `/api/spaces/${spaceId}/members`]) {
      const { headers: answered } = await harness.app.inject({ method: 'GET', url, headers })
      expect(answered.etag).toBeUndefined()
    }
  })
})
