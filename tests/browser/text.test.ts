import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { startFakeProvider } from '../lib/fake-provider.ts'
import { story } from '../lib/story.ts'
import { messages, moment, openT69, ready, setUpProvider } from '../lib/t69-page.ts'

/** Text as people write it all over the world. */

/** Sends without waiting for the message to be shown as it was typed: line breaks and marks may differ. */
async function send(page: Page, text: string): Promise<void> {
  await page.getByTestId('new-chat').click()
  await expect.poll(() => messages(page), moment).toEqual([])
  await page.getByTestId('composer').fill(text)
  await page.getByTestId('composer').press('Enter')
}

async function replied(page: Page): Promise<string | undefined> {
  const reply = page.locator('[data-testid=message]:not([data-role=user]):not([data-streaming=true])')
  await reply.getByTestId('message-text').waitFor()
  return (await messages(page)).at(-1)
}

story('emoji are never cut in half: not in titles, replies, or what a provider says', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await setUpProvider(page, { name: 'Home', model: 'small', key: 'k', baseUrl: provider.baseUrl })
  await page.getByTestId('close-dialog').click()

  for (const [text, title] of [
    [`a${'😂'.repeat(40)}`, `a${'😂'.repeat(29)}…`],
    [`${'漢'.repeat(59)}😀${'字'.repeat(10)}`, `${'漢'.repeat(59)}…`],
  ] as const) {
    await send(page, text)
    await provider.stream('an answer')
    provider.finish()
    expect(await replied(page)).toBe('an answer')
    expect(await page.getByTestId('chat-title').inputValue()).toBe(title)
  }

  // A character in two pieces arrives whole; half a character at the end of a reply takes nothing with it.
  await send(page, 'Go on')
  for (const piece of ['All of this is worth keeping \ud83d', '\ude02, and this \ud83d'])
    await provider.stream(piece)
  provider.finish()
  const kept = 'All of this is worth keeping 😂, and this \ufffd'
  expect(await replied(page)).toBe(kept)
  await page.reload()
  await ready(page)
  await expect.poll(() => messages(page), moment).toEqual(['Go on', kept])

  provider.refuse(500, `${'x'.repeat(299)}😂 and more`)
  await send(page, 'And now?')
  const refusal = `No reply: The provider answered 500: ${'x'.repeat(299)}`
  expect(await replied(page)).toBe(refusal)
  await page.reload()
  await ready(page)
  await expect.poll(() => messages(page), moment).toEqual(['And now?', refusal])
  await expect.poll(() => page.getByTestId('notice').count()).toBe(0)
  laptop.expectErrors(/500/)
})
