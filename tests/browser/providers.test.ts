import type { Locator } from 'playwright-core'
import { expect } from 'vitest'

import { chunkOf, startFakeProvider } from '../lib/fake-provider.ts'
import { story } from '../lib/story.ts'
import {
  messages,
  newChat,
  newFolder,
  newSpace,
  openSpace,
  openT69,
  ready,
  reload,
  say,
  spaceOf,
  treeItem,
} from '../lib/t69-page.ts'

const done = 'data: [DONE]\n\n'

/** Removes the thing of a row, which is asked about until the answer is yes. */
async function removeOnceAsked(row: Locator, button: string): Promise<void> {
  await row.getByTestId(button).dblclick()
  await row.getByTestId('cancel').click()
  await row.getByTestId('confirm').waitFor({ state: 'detached' })
  expect(await row.count()).toBe(1)
  await row.getByTestId(button).click()
  await row.getByTestId('confirm').click()
  await row.waitFor({ state: 'detached' })
}

story(
  'a model answers within a few presses: a card, a key, a test in words, and a list of models',
  async (stage) => {
    using provider = await startFakeProvider()
    provider.models = ['gpt-4o', 'gpt-small']
    provider.answer = (response, { model }) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end(chunkOf({ content: `I am ${model}` }) + done)
    }
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    const asked: string[] = []
    // What the page would ask OpenAI, answered here: nothing leaves the machine.
    await laptop.context.route('https://api.openai.com/**', async (route) => {
      const request = route.request()
      asked.push(`${new URL(request.url()).pathname} ${request.headers()['authorization'] ?? ''}`)
      if (request.headers()['authorization'] !== 'Bearer sk-right') {
        await route.fulfill({
          status: 401,
          headers: { 'access-control-allow-origin': '*' },
          json: { error: { message: 'Incorrect API key provided.' } },
        })
        return
      }
      const there = request.url().replace('https://api.openai.com/v1', provider.baseUrl)
      await route.fulfill({ response: await route.fetch({ url: there }) })
    })
    laptop.expectErrors(/401/)
    await openT69(page, laptop.url)
    await page.getByTestId('provider-hint').getByRole('button').first().click()
    await page.locator('[data-testid=provider-card][data-provider=openai]').click()
    await stage.shot(laptop, 'a card')
    expect(await page.getByTestId('provider-base-url').count()).toBe(0)
    await page.getByTestId('provider-key').fill('sk-wrong')
    await page.getByTestId('provider-try').click()
    await expect
      .poll(() => page.getByTestId('provider-told').innerText())
      .toContain('does not accept the key: Incorrect API key provided.')
    await page.getByTestId('provider-key').fill('sk-right')
    await page.getByTestId('provider-try').click()
    await expect.poll(() => page.getByTestId('provider-told').innerText()).toBe('It works, and has 2 models.')
    await page.getByTestId('provider-save').click()
    const row = page.getByTestId('provider')
    await expect
      .poll(() => row.innerText())
      .toMatch(/OpenAI[\s\S]*Default[\s\S]*gpt-4o[\s\S]*api\.openai\.com/)
    await stage.shot(laptop, 'a provider')
    await page.getByTestId('close-dialog').click()

    await newChat(page, 'Ask')
    await say(page, 'Who are you?')
    await expect.poll(() => messages(page)).toEqual(['Who are you?', 'I am gpt-4o'])
    // The chat keeps another model that is chosen for it.
    await page.getByTestId('model-picker').click()
    await stage.shot(laptop, 'the picker')
    await page.getByTestId('pick-other').click()
    const small = page.locator('[data-testid=model-choice][data-model=gpt-small]')
    await small.waitFor()
    // The list stays while something else in the space changes, and nobody is asked for it again.
    const listings = (): number => asked.filter((it) => it.startsWith('/v1/models')).length
    const before = listings()
    const other = await laptop.newTab()
    await ready(other)
    await newFolder(other, 'Plans')
    await other.close()
    await treeItem(page, { title: 'Plans' }).waitFor()
    expect(listings()).toBe(before)
    await small.click()
    await say(page, 'And you?')
    await expect
      .poll(() => messages(page))
      .toEqual(['Who are you?', 'I am gpt-4o', 'And you?', 'I am gpt-small'])
    await newChat(page, 'Another')
    await say(page, 'And here?')
    await expect.poll(() => messages(page)).toEqual(['And here?', 'I am gpt-4o'])
    expect(new Set(asked)).toEqual(
      new Set([
        '/v1/models Bearer sk-wrong',
        '/v1/models Bearer sk-right',
        '/v1/chat/completions Bearer sk-right',
      ]),
    )
  },
)

story(
  'a model on this machine is found, and an address is completed, corrected and put in order',
  async (stage) => {
    using provider = await startFakeProvider()
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    await laptop.context.route('http://localhost:11434/**', async (route) => {
      await route.fulfill({
        headers: { 'access-control-allow-origin': '*' },
        json: { data: [{ id: 'llama-small' }] },
      })
    })
    laptop.expectErrors(/127\.0\.0\.1:9|net::/)
    await openT69(page, laptop.url)
    await page.getByTestId('settings').click()
    await page.locator('[data-testid=provider-card][data-provider=ollama]').click()
    await expect.poll(() => page.getByTestId('provider-told').innerText()).toBe('It works, and has 1 models.')
    await expect.poll(() => page.getByTestId('provider-model').inputValue()).toBe('llama-small')
    expect(await page.getByTestId('provider-key').count()).toBe(0)
    await page.getByTestId('provider-save').click()
    await page.getByTestId('provider').waitFor()

    // What is no address says so, and where there is nobody, that too.
    await page.getByTestId('provider-name').fill('Mine')
    await page.getByTestId('provider-base-url').fill('not an address')
    await page.getByTestId('provider-save').click()
    await expect.poll(() => page.getByTestId('provider-told').innerText()).toContain('no address')
    await page.getByTestId('provider-base-url').fill('127.0.0.1:9')
    await page.getByTestId('provider-try').click()
    await expect.poll(() => page.getByTestId('provider-told').innerText()).toContain('no way to 127.0.0.1:9')
    await stage.shot(laptop, 'nobody there')
    await page.getByTestId('provider-save').click()
    await expect.poll(() => page.getByTestId('provider').count()).toBe(2)

    // Without its scheme, and with the whole endpoint.
    const mine = page.getByTestId('provider').filter({ hasText: 'Mine' })
    await mine.getByTestId('provider-edit').click()
    await mine
      .getByTestId('provider-base-url')
      .fill(`${provider.baseUrl.replace('http://', '')}/chat/completions`)
    await mine.getByTestId('provider-model').fill('')
    await mine.getByTestId('provider-try').click()
    await expect.poll(() => mine.getByTestId('provider-told').innerText()).toContain('It works')
    await mine.getByTestId('provider-save').click()
    await mine.getByTestId('provider-form').waitFor({ state: 'detached' })
    await expect.poll(() => mine.innerText()).toContain('small')
    await expect.poll(() => page.getByTestId('provider').first().innerText()).toContain('Mine')

    const ollama = page.getByTestId('provider').filter({ hasText: 'Ollama' })
    await ollama.getByTestId('provider-first').click()
    await expect.poll(() => page.getByTestId('provider').first().innerText()).toContain('Ollama')
    await page.getByTestId('close-dialog').click()
    await expect.poll(() => page.getByTestId('model-picker').innerText()).toContain('llama-small')
  },
)

story(
  'an assistant has instructions, a model and a colour, and answers in the chats that choose it',
  async (stage) => {
    using provider = await startFakeProvider()
    provider.answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end(chunkOf({ content: 'Arr' }) + done)
    }
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    await openT69(page, laptop.url)
    await page.getByTestId('settings').click()
    await page.getByTestId('provider-name').fill('Home')
    await page.getByTestId('provider-base-url').fill(provider.baseUrl)
    await page.getByTestId('provider-model').fill('small')
    await page.getByTestId('provider-save').click()
    await page.getByTestId('provider').waitFor()
    await page.getByTestId('close-dialog').click()
    await newChat(page, 'Sea')

    await page.getByTestId('model-picker').click()
    await page.getByTestId('pick-assistants').click()
    await page.getByTestId('assistant-new').click()
    await page.getByTestId('assistant-title').fill('Pirate')
    await page.getByTestId('assistant-instructions').fill('Answer like a pirate.')
    await page.getByTestId('assistant-provider').selectOption({ label: 'Home' })
    await page.getByTestId('assistant-model').fill('large')
    await stage.shot(laptop, 'a new assistant')
    await page.getByTestId('assistant-save').click()
    await page.getByTestId('assistant').nth(1).waitFor()
    await page.getByTestId('close-dialog').click()
    await page.getByTestId('model-picker').click()
    await page.getByTestId('pick-assistant').filter({ hasText: 'Pirate' }).click()
    await expect.poll(() => page.getByTestId('model-picker').innerText()).toContain('Pirate · large')
    await say(page, 'Hello')
    await expect.poll(() => messages(page)).toEqual(['Hello', 'Arr'])
    expect(provider.requests.at(-1)).toMatchObject({
      model: 'large',
      messages: [
        { role: 'system', content: 'Answer like a pirate.' },
        { role: 'user', content: 'Hello' },
      ],
    })
    await stage.shot(laptop, 'the assistant answers')
    await reload(page)
    await ready(page)
    await expect.poll(() => page.getByTestId('model-picker').innerText()).toContain('Pirate · large')

    // Both are the whole space's, and the provider's key is nowhere else: a press that went wrong removes neither.
    await page.getByTestId('model-picker').click()
    await page.getByTestId('pick-assistants').click()
    const pirate = page.getByTestId('assistant').filter({ hasText: 'Pirate' })
    await removeOnceAsked(pirate, 'assistant-remove')
    await page.getByTestId('close-dialog').click()
    await page.getByTestId('settings').click()
    await removeOnceAsked(page.getByTestId('provider'), 'provider-remove')
  },
)

story('what waits for a key is answered once there is one, wherever it was entered', async (stage) => {
  using provider = await startFakeProvider()
  provider.answer = (response, { model }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(chunkOf({ content: `I am ${model}` }) + done)
  }
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await laptop.context.route('https://api.openai.com/**', async (route) => {
    const there = route.request().url().replace('https://api.openai.com/v1', provider.baseUrl)
    await route.fulfill({ response: await route.fetch({ url: there }) })
  })
  const addOpenAi = async (): Promise<void> => {
    await page.getByTestId('settings').click()
    await page.locator('[data-testid=provider-card][data-provider=openai]').click()
    await page.getByTestId('provider-save').click()
    await page.getByTestId('provider').filter({ hasText: 'OpenAI' }).waitFor()
  }
  await openT69(page, laptop.url)
  const first = await spaceOf(page)
  await addOpenAi()
  await page.getByTestId('close-dialog').click()
  await newChat(page, 'Ask')
  await say(page, 'Who are you?')
  await expect
    .poll(() => page.getByTestId('key-request').innerText())
    .toContain('Your message waits for a key')

  // What is being typed stays while the space changes.
  await page.getByTestId('key-input').fill('sk-')
  await newFolder(page, 'Drawer')
  expect(await page.getByTestId('key-input').inputValue()).toBe('sk-')

  // The space was closed in between.
  await newSpace(page, 'Club')
  await openSpace(page, first)
  await expect
    .poll(() => page.getByTestId('key-request').innerText())
    .toContain('Your message waits for a key')
  await page.getByTestId('key-input').fill('sk-right')
  await page.getByTestId('key-save').click()
  await expect.poll(() => messages(page)).toEqual(['Who are you?', 'I am gpt-4o'])

  // Entered in the settings, for an assistant whose provider is not the one of the chat.
  await newSpace(page, 'Ship')
  await addOpenAi()
  await page.getByTestId('provider-name').fill('Home')
  await page.getByTestId('provider-base-url').fill(provider.baseUrl)
  await page.getByTestId('provider-model').fill('small')
  await page.getByTestId('provider-key').fill('key-of-anna')
  await page.getByTestId('provider-save').click()
  await expect.poll(() => page.getByTestId('provider').count()).toBe(2)
  await page.getByTestId('close-dialog').click()
  await newChat(page, 'Sea')
  await page.getByTestId('model-picker').click()
  await page.getByTestId('pick-assistants').click()
  await page.getByTestId('assistant-new').click()
  await page.getByTestId('assistant-title').fill('Pirate')
  await page.getByTestId('assistant-provider').selectOption({ label: 'OpenAI' })
  // A press beside the form gives up nothing of it.
  await page.waitForTimeout(600)
  await page.mouse.click(5, 400)
  expect(await page.getByTestId('assistant-title').inputValue()).toBe('Pirate')
  await page.getByTestId('assistant-save').click()
  await page.getByTestId('close-dialog').click()
  await say(page, '@Pirate hello')
  await expect.poll(() => page.getByTestId('key-request').innerText()).toContain('OpenAI')
  await stage.shot(laptop, 'the key of the assistant that is asked')
  await page.getByTestId('settings').click()
  await page
    .getByTestId('provider')
    .filter({ hasText: 'OpenAI' })
    .getByTestId('provider-own-key')
    .fill('sk-right')
  await page.keyboard.press('Enter')
  await page.getByTestId('close-dialog').click()
  await expect.poll(() => messages(page)).toEqual(['@Pirate hello', 'I am gpt-4o'])
  expect(await page.getByTestId('key-request').count()).toBe(0)
})
