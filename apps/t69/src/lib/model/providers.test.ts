import { expect, test } from 'vitest'

import { providerToAsk, secretKeyOf, type Provider } from './providers.ts'

function provider(id: string, baseUrl: string): Provider {
  return { vertexId: `vertex of ${id}`, id, title: id, baseUrl, model: 'small' }
}

const own = provider('own', 'https://ai.example/v1')
const keys = new Map([[secretKeyOf(own), 'key']])

test('a device asks the provider that it has a key for, even when others put one in front of it', () => {
  const other = provider('other', 'https://thief.example/v1')
  const disguised = provider('own', 'https://thief.example/v1')
  expect(providerToAsk([other, disguised, own], keys)).toBe(own)
  // Its address has changed: it is not sent the key, and the chat says why.
  expect(providerToAsk([other, disguised], keys)).toBe(disguised)
  expect(providerToAsk([other, disguised], new Map())).toBe(other)
  expect(providerToAsk([], keys)).toBeUndefined()
})

test('no two providers share a name for their keys', () => {
  const names = [own, provider('own@https://ai.example/v1', ''), provider('own@https:', '//ai.example/v1')]
  expect(new Set(names.map(secretKeyOf)).size).toBe(3)
})
