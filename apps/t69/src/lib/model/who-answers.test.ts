import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import {
  addAssistant,
  assistantsOf,
  changeAssistant,
  defaultAssistantId,
  removeAssistant,
} from './assistants.ts'
import { layOutChat } from './chat-tree.ts'
import { addProvider, consentOf, providersOf, secretKeyOf } from './providers.ts'
import { layOutSpace } from './space-tree.ts'
import { childNamed } from './tree.ts'
import { choiceIn, choose, whoAnswers } from './who-answers.ts'

async function space() {
  const it = await localSpace()
  layOutSpace(it.root)
  const chat = await it.createTree()
  layOutChat(chat, 'Chat')
  return Object.assign(it, { chat, configs: childNamed(it.root.root!, 'app-configs') })
}
const provider = (id: string) =>
  ({
    id,
    title: id,
    protocol: 'openai',
    baseUrl: `https://${id}.example/v1`,
    model: `${id}-1`,
    needsKey: false,
  }) as const
const noKeys = new Map<string, string>()

test('the default of the space answers, until the people of a chat choose', async () => {
  await using it = await space()
  const answers = () => {
    const found = whoAnswers(it.root, choiceIn(it.chat), noKeys)
    return found && `${found.provider.id}/${found.model} ${found.assistant?.title}`
  }
  expect(answers()).toBeUndefined()
  addProvider(it.root, provider('a'))
  addProvider(it.root, provider('b'))
  expect(answers()).toBe('b/b-1 Chat')
  choose(it.chat, { providerId: 'a', model: 'a-2' })
  expect(answers()).toBe('a/a-2 Chat')

  // An assistant brings its own model, which a later choice replaces.
  const pirate = { title: 'Pirate', instructions: 'Arr.', model: { providerId: 'a', model: 'x/y' }, hue: 30 }
  const configId = addAssistant(it.root, pirate)
  choose(it.chat, { configId })
  expect(answers()).toBe('a/x/y Pirate')
  choose(it.chat, { providerId: 'b', model: 'b-2' })
  expect(answers()).toBe('b/b-2 Pirate')

  // What is gone leaves the choice to what is there.
  const [gone] = providersOf(it.root)
  it.root.deleteVertex(gone!.vertexId)
  expect(answers()).toBe('a/x/y Pirate')
  const assistant = assistantsOf(it.root).find(({ id }) => id === configId)!
  expect(assistant).toMatchObject(pirate)
  changeAssistant(it.root, assistant, { ...pirate, title: 'Captain', model: null })
  expect(answers()).toBe('a/a-1 Captain')
  removeAssistant(it.root, assistant)
  expect(answers()).toBe('a/a-1 Chat')
})

test('without a choice, the provider that this device has a key for answers', async () => {
  await using it = await space()
  addProvider(it.root, provider('a'))
  addProvider(it.root, provider('b'))
  const keys = new Map([[secretKeyOf(provider('a')), 'k']])
  expect(whoAnswers(it.root, choiceIn(it.chat), keys)?.provider.id).toBe('a')
})

test('a choice that others made leads a device with a key to no address that nobody there chose', async () => {
  await using it = await space()
  addProvider(it.root, { ...provider('own'), needsKey: true })
  const keys = new Map([[secretKeyOf(provider('own')), 'k']])
  const asked = (secrets = keys) => whoAnswers(it.root, choiceIn(it.chat), secrets)?.provider.id
  addProvider(it.root, provider('thief'))
  expect(asked()).toBe('own')
  choose(it.chat, { providerId: 'thief', model: 'm' })
  expect(asked()).toBe('own')
  const usual = assistantsOf(it.root).find(({ id }) => id === defaultAssistantId)!
  changeAssistant(it.root, usual, { ...usual, model: { providerId: 'thief', model: 'm' } })
  choose(it.chat, { configId: defaultAssistantId })
  expect(asked()).toBe('own')

  // Somebody on this device chose it, at this address.
  const chosen = new Map([...keys, [consentOf(provider('thief')), 'yes']])
  expect(asked(chosen)).toBe('thief')
  const thief = providersOf(it.root).find(({ id }) => id === 'thief')!
  it.root.getVertex(thief.vertexId)!.setProperty('baseUrl', 'https://elsewhere.example/v1')
  expect(asked(chosen)).toBe('own')
  // Where there is no key, what the space names is asked, as ever.
  expect(asked(noKeys)).toBe('thief')
})

test('assistants of June 2025 are there, and what is none is passed over', async () => {
  await using it = await space()
  for (const config of [
    { id: 'june', name: 'June', instructions: 'Be brief.', targetLLM: 'openai/gpt-4o' },
    { id: 'auto', name: 'Auto', targetLLM: 'ollama/auto' },
    { id: 'hidden', name: 'Hidden', visible: false },
    { id: 'june', name: 'Again' },
    { name: 'No id' },
    { id: 'odd', title: {}, instructions: 7, targetLLM: [], hue: 'red' },
  ])
    it.configs.newChild(config)
  expect(assistantsOf(it.root).map(({ id, title, model, hue }) => [id, title, model, hue])).toEqual([
    ['default', 'Chat', null, null],
    ['june', 'June', { providerId: 'openai', model: 'gpt-4o' }, null],
    ['auto', 'Auto', null, null],
    ['odd', 'odd', null, null],
  ])
})
