import { createSyncClient, memoryStorage } from '@t69/sync-client'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { startFakeProvider } from '../lib/fake-provider.ts'
import { settled } from '../lib/settled.ts'
import { story, type Stage } from '../lib/story.ts'
import {
  accountOf,
  invite,
  message,
  newChat,
  openT69,
  say,
  setUpProvider,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

/** Chats that are longer than a page can hold at once. */

const scrollOf = (page: Page) =>
  page.getByTestId('chat').evaluate((chat) => {
    const { scrollTop, scrollHeight, clientHeight } = chat.parentElement!
    return { top: Math.round(scrollTop), fromEnd: Math.round(scrollHeight - scrollTop - clientHeight) }
  })

const scrollTo = (page: Page, share: number) =>
  page.getByTestId('chat').evaluate((chat, share) => {
    const list = chat.parentElement!
    list.scrollTop = (list.scrollHeight - list.clientHeight) * share
  }, share)

/** Opens a chat of Anna's in which Ben has written a lot. */
async function openLongChat(stage: Stage, count: number) {
  const laptop = await openOwnSpace(stage, "Anna's laptop", accountOf('Anna'))
  const { page } = laptop
  await newChat(page, 'Long')
  await say(page, 'The first message')
  await synced(page)
  const chatId = (await page.getByTestId('app').getAttribute('data-chat-id')) ?? ''
  await newChat(page, 'Elsewhere')

  await using ben = createSyncClient({ url: stage.server.url, storage: memoryStorage() })
  await ben.signUp(accountOf('Ben'))
  const link = await invite(page, 'editor')
  const { id } = await ben.acceptInvite(new URL(link).pathname.replace('/invite/', ''))
  const space = await ben.openSpace(id)
  await space.loaded()
  const chat = await space.openTree(chatId)
  await space.loaded({ treeId: chatId })
  const messages = () => chat.root!.children.find(({ name }) => name === 'messages')
  await expect.poll(() => messages()?.children.length).toBe(1)
  let last = messages()!.children[0]!
  for (let index = 2; index <= count; index++) {
    const text = `Message ${index} of many.\n\n${'Some **words** of it. '.repeat(index % 13)}`
    const role = index % 2 === 0 ? 'assistant' : 'user'
    last = last.newNamedChild('message', { role, text, createdAt: index })
  }
  await space.flushed()
  await treeItem(page, { title: 'Long' }).click()
  await page.locator(`[data-testid=chat][data-count="${count}"]`).waitFor()
  return laptop
}

story(
  'a chat of 3,000 messages has the few in its page that are near the view, wherever the reader scrolls',
  async (stage) => {
    const laptop = await openLongChat(stage, 3_000)
    const { page } = laptop
    const shown = page.getByTestId('message')
    await shown.filter({ hasText: 'Message 3000 of many.' }).waitFor()
    await expect.poll(async () => (await scrollOf(page)).fromEnd).toBeLessThanOrEqual(1)
    expect(await shown.count()).toBeLessThan(100)

    // The scrollbar goes anywhere. What is in view there stays in view as the messages around it get their height.
    await scrollTo(page, 0.5)
    const middle = shown.filter({ hasText: /Message 1[45]\d\d of many/ })
    await middle.first().waitFor()
    const seen = await page.getByTestId('chat').evaluateHandle((chat) => {
      const { top, bottom } = chat.parentElement!.getBoundingClientRect()
      return Array.from(chat.querySelectorAll('[data-testid=message]')).find((it) => {
        const box = it.getBoundingClientRect()
        return box.top >= top && box.top < bottom
      })!
    })
    const placeOf = () => seen.evaluate((it) => Math.round(it.getBoundingClientRect().top))
    await stage.shot(laptop, 'in the middle')
    const before = await placeOf()
    await page.mouse.move(600, 400)
    for (let step = 0; step < 30; step++) {
      await page.mouse.wheel(0, -100)
      const place = before + (step + 1) * 100
      await expect.poll(placeOf).toBe(place)
    }

    await scrollTo(page, 0)
    await message(page, 'The first message').waitFor()
    expect(await shown.count()).toBeLessThan(400)

    // After a reload, the sidebar is there before the chat is.
    await page.addInitScript(() => {
      new MutationObserver((_, observer) => {
        if (document.querySelector('[data-testid=tree-item]') === null) return
        const chat = document.querySelector('[data-testid=chat]')
        document.documentElement.dataset['first'] =
          chat?.getAttribute('aria-busy') === 'true' ? 'sidebar' : 'chat'
        observer.disconnect()
      }).observe(document, { childList: true, subtree: true })
    })
    await page.reload()
    await shown.filter({ hasText: 'Message 3000 of many.' }).waitFor()
    expect(await page.evaluate(() => document.documentElement.dataset['first'])).toBe('sidebar')
    await scrollTo(page, 0)
    await message(page, 'The first message').waitFor()

    // To the end and back to writing.
    await page.getByTestId('to-latest').click()
    await shown.filter({ hasText: 'Message 3000 of many.' }).waitFor()
    await expect.poll(async () => (await scrollOf(page)).fromEnd).toBeLessThanOrEqual(1)
    expect(await page.getByTestId('to-latest').count()).toBe(0)
    await say(page, 'And one more')
    await expect.poll(async () => (await scrollOf(page)).fromEnd).toBeLessThanOrEqual(1)
  },
)

story('a long chat is printed whole, and only it', async (stage) => {
  const laptop = await openLongChat(stage, 200)
  const { page } = laptop
  await page.getByTestId('message').filter({ hasText: 'Message 200 of many.' }).waitFor()
  const pdf = await page.pdf({ format: 'A4' })
  // Each page of the file is an object of this type.
  const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length ?? 0
  expect(pages).toBeGreaterThan(5)
  await page.emulateMedia({ media: 'print' })
  expect(await page.getByTestId('composer').isVisible()).toBe(false)
  expect(await page.getByTestId('sidebar').isVisible()).toBe(false)
  await stage.shot(laptop, 'on paper')
  await page.emulateMedia({ media: 'screen' })
  await page.getByTestId('composer').waitFor()
})

story('scrolling up while a reply grows stays there, and keys go from message to message', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await setUpProvider(page, { name: 'Home', model: 'small', key: 'k', baseUrl: provider.baseUrl })
  await page.getByTestId('close-dialog').click()
  await say(page, 'Go on')
  for (let line = 0; line < 80; line++) await provider.stream(`Line ${line} of the reply.\n\n`)
  const text = page.locator('[data-testid=message][data-role=assistant]').getByTestId('message-text')
  await expect.poll(() => text.innerText()).toContain('Line 79')
  await expect.poll(async () => (await scrollOf(page)).fromEnd).toBeLessThanOrEqual(1)
  expect(await page.getByTestId('to-latest').count()).toBe(0)

  await page.mouse.move(600, 400)
  await page.mouse.wheel(0, -300)
  await page.getByTestId('to-latest').waitFor()
  await expect.poll(async () => (await scrollOf(page)).fromEnd).toBeGreaterThan(250)
  const { top } = await settled(() => scrollOf(page))
  for (let line = 80; line < 120; line++) await provider.stream(`Line ${line} of the reply.\n\n`)
  await expect.poll(() => text.innerText()).toContain('Line 119')
  expect((await scrollOf(page)).top).toBe(top)
  await stage.shot(laptop, 'scrolled up while it grows')

  await page.getByTestId('to-latest').click()
  await provider.stream('The last line.')
  provider.finish()
  await expect.poll(() => text.innerText()).toContain('The last line.')
  await expect.poll(async () => (await scrollOf(page)).fromEnd).toBeLessThanOrEqual(1)

  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-role'))
  await page.keyboard.press('Alt+ArrowUp')
  await expect.poll(focused).toBe('assistant')
  await page.keyboard.press('Alt+ArrowUp')
  await expect.poll(focused).toBe('user')
  await expect.poll(async () => (await scrollOf(page)).top).toBeLessThan(100)
  await page.keyboard.press('End')
  await expect.poll(async () => (await scrollOf(page)).fromEnd).toBeLessThanOrEqual(1)
})
