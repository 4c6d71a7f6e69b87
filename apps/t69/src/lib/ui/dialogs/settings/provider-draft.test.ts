import { beforeEach, expect, test, vi } from 'vitest'

import type { Provider } from '../../../model/providers.ts'

// Without Svelte's compiler, a rune is a plain value.
const plain = <T>(value: T): T => value
vi.stubGlobal('$state', Object.assign(plain, { raw: plain }))
vi.stubGlobal('$derived', plain)
const { ProviderDraft } = await import('./provider-draft.svelte.ts')

const provider: Provider = {
  vertexId: 'v1',
  id: 'custom-1',
  title: 'Mine',
  protocol: 'openai',
  baseUrl: 'https://api.example.org/v1',
  model: 'small',
  needsKey: true,
  headers: {},
}

const asked: [url: string, key: string | null][] = []
let answer = Promise.withResolvers<void>()

beforeEach(() => {
  asked.length = 0
  answer = Promise.withResolvers()
  vi.stubGlobal('fetch', async (url: string, { headers }: { headers: Record<string, string> }) => {
    asked.push([url, headers['authorization'] ?? null])
    await answer.promise
    return Response.json({ data: [{ id: 'small' }] })
  })
})

test('a key that this device has is tried at the server that it was entered for, and at no other', async () => {
  const draft = new ProviderDraft({ provider })
  answer.resolve()
  for (const address of [
    'https://api.example.org/v2',
    'https://api.example.com/v1',
    'http://api.example.org/v1',
    'https://api.example.org:8443/v1',
  ]) {
    draft.address = address
    await draft.try('kept')
  }
  draft.address = 'https://api.example.com/v1'
  draft.key = 'entered'
  await draft.try('kept')
  expect(asked).toEqual([
    ['https://api.example.org/v2/models', 'Bearer kept'],
    ['https://api.example.com/v1/models', null],
    ['http://api.example.org/v1/models', null],
    ['https://api.example.org:8443/v1/models', null],
    ['https://api.example.com/v1/models', 'Bearer entered'],
  ])
})

test('an address that is entered while another one is asked stays, and nothing is said of it', async () => {
  const draft = new ProviderDraft({ provider })
  const trying = draft.try('kept')
  await vi.waitFor(() => expect(asked).toHaveLength(1))
  draft.address = 'https://api.example.com'
  answer.resolve()
  await trying
  expect(draft).toMatchObject({ address: 'https://api.example.com', connection: null, isTrying: false })
})
