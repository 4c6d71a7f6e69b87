import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import {
  addProvider,
  changeProvider,
  keyOf,
  keyProblem,
  moveProvider,
  oldKeysToBind,
  oldSecretKeyOf,
  providersOf,
  providerToAsk,
  secretKeyOf,
  type Provider,
} from './providers.ts'
import { layOutSpace } from './space-tree.ts'
import { childNamed, type Tree } from './tree.ts'

function provider(id: string, baseUrl: string): Provider {
  return {
    vertexId: id,
    id,
    title: id,
    protocol: 'openai',
    baseUrl,
    model: 'm',
    needsKey: true,
    headers: {},
  }
}

const own = provider('own', 'https://own.example/v1')
const keys = new Map([[secretKeyOf(own), 'k']])
const entry = (id: string) => ({ ...provider(id, `https://${id}.example/v1`), title: id.toUpperCase() })

async function space() {
  const it = await localSpace()
  layOutSpace(it.root)
  return Object.assign(it, { parent: childNamed(it.root.root!, 'providers') })
}
const ids = (tree: Tree): string[] => providersOf(tree).map(({ id }) => id)

test('a device asks the provider that it has a key for, even when others put another in front of it', () => {
  const other = provider('other', 'https://other.example/v1')
  const disguised = { ...own, vertexId: 'x', baseUrl: 'https://thief.example/v1' }
  expect(providerToAsk([other, disguised, own], keys)).toBe(own)
  // Not one for which it has a key at another address, as long as it has one that it can ask.
  expect(providerToAsk([other, disguised], keys)).toBe(disguised)
  expect(providerToAsk([other, disguised], new Map())).toBe(other)
  expect(providerToAsk([], keys)).toBeUndefined()
})

test('a device without a key asks nobody who takes one, nor an address that has changed', () => {
  expect(keyProblem(own, keys)).toBeNull()
  expect(keyProblem(own, new Map())).toBe('missing')
  expect(keyProblem({ ...own, baseUrl: 'https://thief.example/v1' }, keys)).toBe('moved')
  expect(keyProblem({ ...own, needsKey: false }, new Map())).toBeNull()
  expect(keyProblem({ ...own, needsKey: false, baseUrl: 'https://thief.example/v1' }, keys)).toBe('moved')
})

test('providers and keys of June 2025 work at once', async () => {
  await using it = await space()
  it.parent.newChild({ id: 'openai', type: 'cloud' })
  it.parent.newChild({ id: 'anthropic', type: 'cloud' })
  it.parent.newChild({ id: 'ollama', type: 'local', apiUrl: 'http://192.168.1.4:11434/' })
  it.parent.newChild({
    id: 'custom-1',
    type: 'cloud',
    name: 'Mine',
    baseApiUrl: 'https://mine.example/v1',
    modelId: 'mine-1',
    customHeaders: { 'x-team': 'blue', 'not a header': 'x', 'x-odd': 'ü' },
  })
  // t69 adds it again with each key.
  it.parent.newChild({ id: 'openai', type: 'cloud' })
  const [openai, anthropic, ollama, mine, ...more] = providersOf(it.root)
  expect(more).toEqual([])
  expect(openai).toMatchObject({ title: 'OpenAI', baseUrl: 'https://api.openai.com/v1', needsKey: true })
  expect(anthropic).toMatchObject({ protocol: 'anthropic' })
  expect(ollama).toMatchObject({ baseUrl: 'http://192.168.1.4:11434/v1', model: '', needsKey: false })
  expect(mine).toMatchObject({ title: 'Mine', model: 'mine-1', headers: { 'x-team': 'blue' } })

  const secrets = new Map([
    ['api-key-openai', 'sk-june'],
    ['api-key-custom-1', 'sk-mine'],
  ])
  expect(keyOf(openai!, secrets)).toBe('sk-june')
  // Somebody may have changed the address of either since.
  expect(keyOf({ ...openai!, baseUrl: 'https://thief.example/v1' }, secrets)).toBeUndefined()
  expect(keyOf(mine!, secrets)).toBeUndefined()
  // Where nobody else can have, it is bound to the address that it was entered for.
  expect(oldKeysToBind([mine!], secrets)).toEqual([[secretKeyOf(mine!), 'sk-mine']])
  const bound = new Map([...secrets, ...oldKeysToBind([mine!], secrets)])
  expect(keyOf(mine!, bound)).toBe('sk-mine')
  expect(oldKeysToBind([{ ...mine!, baseUrl: 'https://thief.example/v1' }], bound)).toEqual([])
  expect(oldSecretKeyOf(mine!)).toBe('api-key-custom-1')
})

test('providers stay in the order that people gave them, and a new one is the default', async () => {
  await using it = await space()
  it.parent.newChild({ id: 'openai', type: 'cloud' })
  for (const id of ['c', 'b', 'a']) addProvider(it.root, entry(id))
  expect(ids(it.root)).toEqual(['a', 'b', 'c', 'openai'])
  const find = (id: string): Provider => providersOf(it.root).find((them) => them.id === id)!
  moveProvider(it.root, find('c'), 0)
  expect(ids(it.root)).toEqual(['c', 'a', 'b', 'openai'])
  moveProvider(it.root, find('openai'), 2)
  expect(ids(it.root)).toEqual(['c', 'a', 'openai', 'b'])
  moveProvider(it.root, find('c'), 99)
  addProvider(it.root, entry('d'))
  expect(ids(it.root)).toEqual(['d', 'a', 'openai', 'b', 'c'])
})

test('a provider can be corrected', async () => {
  await using it = await space()
  addProvider(it.root, entry('a'))
  const [before] = providersOf(it.root)
  changeProvider(it.root, before!, { ...before!, title: 'A \ud83d', model: 'other' })
  expect(providersOf(it.root)).toEqual([{ ...before, title: 'A \ufffd', model: 'other' }])
})

test('what is no provider is passed over', async () => {
  await using it = await space()
  for (const wrong of [{}, { id: 7 }, { id: 'x' }, { id: 'x', baseUrl: 'https://x.example', model: 7 }])
    it.parent.newChild(wrong)
  it.parent.newChild({
    id: 'y',
    baseUrl: 'https://y.example',
    model: 'm',
    order: {},
    protocol: 'x',
    customHeaders: 1,
  })
  expect(providersOf(it.root)).toEqual([
    expect.objectContaining({ id: 'y', protocol: 'openai', headers: {} }),
  ])
})
