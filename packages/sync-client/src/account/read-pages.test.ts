import { spaceListSchema, type SpaceSummary } from '@t69/protocol'
import { expect, it } from 'vitest'

import { createManualTime } from '../runtime/testing/manual-time.ts'
import { createHttp, type KeptReplies } from './http.ts'
import { readPages } from './read-pages.ts'

const space = (nr: number): SpaceSummary =>
  spaceListSchema.shape.spaces.element.parse({
    id: String(nr).padStart(32, '0'),
    identity: 'a'.repeat(32),
    name: `Space ${nr}`,
    role: 'owner',
    createdAt: nr,
  })

/** A server with pages of two spaces, whose ETag is their content. */
function setUp() {
  const state = { spaces: [1, 2, 3, 4, 5].map(space), nextOf: (at: number): string | undefined => String(at) }
  const answers: number[] = []
  const serve: typeof fetch = async (input, init) => {
    const { searchParams } = new URL(String(input instanceof Request ? input.url : input))
    const at = Number(searchParams.get('after') ?? 0)
    const next = at + 2 < state.spaces.length ? state.nextOf(at + 2) : undefined
    const text = JSON.stringify({
      spaces: state.spaces.slice(at, at + 2),
      ...(next !== undefined && { next }),
    })
    const etag = `"${text.length}-${text.replaceAll(/[^0-9]/g, '')}"`
    const isKnown = new Headers(init?.headers).get('if-none-match') === etag
    answers.push(isKnown ? 304 : 200)
    return new Response(isKnown ? null : text, { status: isKnown ? 304 : 200, headers: { etag } })
  }
  const http = createHttp('http://sync.example', serve, createManualTime())
  const kept: KeptReplies = new Map()
  return {
    state,
    kept,
    answers: (): number[] => answers.splice(0),
    read: async () => {
      const pages = await readPages((...call) => http.call(...call), '/api/spaces', spaceListSchema, kept)
      return pages.flatMap(({ spaces }) => spaces.map(({ createdAt }) => createdAt))
    },
  }
}

it('[LI13] reads a list to its end, page by page', async () => {
  const { read, answers } = setUp()
  expect(await read()).toEqual([1, 2, 3, 4, 5])
  expect(answers()).toEqual([200, 200, 200])
})

it('[LI14] has only the pages sent again that have changed', async () => {
  const { state, read, answers } = setUp()
  await read()
  answers()
  expect(await read()).toEqual([1, 2, 3, 4, 5])
  expect(answers()).toEqual([304, 304, 304])
  state.spaces[4] = space(9)
  expect(await read()).toEqual([1, 2, 3, 4, 9])
  expect(answers()).toEqual([304, 304, 200])
})

it('keeps no pages that the list has no more', async () => {
  const { state, kept, read } = setUp()
  await read()
  state.spaces = [space(1)]
  expect(await read()).toEqual([1])
  expect(kept.size).toBe(1)
})

it('gives up on pages that lead in a circle', async () => {
  const { state, read } = setUp()
  state.nextOf = () => '2'
  await expect(read()).rejects.toMatchObject({ code: 'unavailable' })
})
