import { expect } from 'vitest'

import { holdStores } from '../lib/local-db.ts'
import { story } from '../lib/story.ts'
import {
  messages,
  newChat,
  newSpace,
  openT69,
  ready,
  say,
  spaceOf,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'

story(
  'a page that crashed while it opened a chat starts without it, and opens it when it is chosen',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    await openT69(laptop.page, laptop.url)
    await newChat(laptop.page, 'Huge')
    await say(laptop.page, 'Too much')
    await newChat(laptop.page, 'Small')
    await laptop.page.reload()
    await ready(laptop.page)
    await holdStores(laptop.page, 'treeOps')
    await treeItem(laptop.page, { title: 'Huge' }).click()
    await laptop.killTab()

    const { page } = laptop
    await ready(page)
    await page.getByTestId('notice').filter({ hasText: 'ended while it opened the chat “Huge”' }).waitFor()
    await expect.poll(() => treeRows(page)).toEqual(['Small', 'Huge'])
    expect(await page.getByTestId('app').getAttribute('data-chat-id')).toBe('')
    await stage.shot(laptop, 'without the chat')
    // Neither does the next start open it, nor does it say so again.
    await page.reload()
    await ready(page)
    expect(await page.getByTestId('app').getAttribute('data-chat-id')).toBe('')
    expect(await page.getByTestId('notice').count()).toBe(0)
    await treeItem(page, { title: 'Huge' }).click()
    await expect.poll(() => messages(page)).toEqual(['Too much'])
  },
)

story('of two chats side by side, the one that a page crashed with is left out', async (stage) => {
  const laptop = await stage.device("Anna's laptop", { viewport: { width: 1440, height: 900 } })
  await openT69(laptop.page, laptop.url)
  await newChat(laptop.page, 'Small')
  await say(laptop.page, 'Just right')
  await newChat(laptop.page, 'Huge')
  await say(laptop.page, 'Too much')
  await laptop.page.keyboard.press('Control+Backslash')
  await treeItem(laptop.page, { title: 'Small' }).click()
  await expect.poll(() => messages(laptop.page)).toEqual(['Too much', 'Just right'])
  await treeItem(laptop.page, { title: 'Huge' }).click()
  const treeId = (await laptop.page.getByTestId('app').getAttribute('data-chat-id')) ?? ''
  // As a page leaves it that ends while it opens one of the two.
  const crash = { spaceId: await spaceOf(laptop.page), treeId }
  await laptop.page.goto('about:blank')
  await laptop.page.goto(new URL('favicon.ico', laptop.url).href)
  await laptop.page.evaluate(
    (note) => localStorage.setItem('t69-opening/gone', note),
    JSON.stringify([crash]),
  )
  await laptop.page.goto(laptop.url)
  await ready(laptop.page)
  await laptop.page
    .getByTestId('notice')
    .filter({ hasText: 'ended while it opened the chat “Huge”' })
    .waitFor()
  await expect.poll(() => messages(laptop.page)).toEqual(['Just right'])
  await treeItem(laptop.page, { title: 'Huge' }).click()
  await expect.poll(() => messages(laptop.page)).toEqual(['Too much', 'Just right'])
})

story('a page that crashed while it opened a space asks before it opens that again', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  await openT69(laptop.page, laptop.url)
  await newSpace(laptop.page, 'Huge')
  await newChat(laptop.page, 'Diary')
  await say(laptop.page, 'Sunny')
  const huge = await spaceOf(laptop.page)
  const other = await laptop.newTab()
  await ready(other)
  await holdStores(other, 'treeOps')
  await laptop.page.reload()
  const isNoted = () =>
    laptop.page.evaluate(() => Object.keys(localStorage).some((key) => key.startsWith('t69-opening/')))
  await expect.poll(isNoted).toBe(true)
  // Another page that starts meanwhile takes nothing for a crash.
  const third = await laptop.newTab()
  await expect.poll(() => third.getByText('Opening').count()).toBe(1)
  expect(await third.getByTestId('crashed-space').count()).toBe(0)
  await third.close()
  await laptop.killTab()
  await other.close()

  const { page } = laptop
  await page.getByTestId('crashed-space').waitFor()
  expect(await page.getByTestId('crashed-space').innerText()).toContain('Huge')
  await stage.shot(laptop, 'asks')
  await page.setViewportSize({ width: 390, height: 844 })
  await page.emulateMedia({ colorScheme: 'dark' })
  await stage.shot(laptop, 'asks on a phone')
  await page.setViewportSize({ width: 1_200, height: 800 })
  await page.getByTestId('crashed-other').click()
  await ready(page)
  expect(await spaceOf(page)).not.toBe(huge)
  await page.getByTestId('space-switcher').click()
  await page.locator(`[data-testid=space-item][data-space-id="${huge}"]`).click()
  await expect.poll(() => messages(page)).toEqual(['Sunny'])
  await expect
    .poll(() =>
      page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('t69-opening/'))),
    )
    .toEqual([])
})
