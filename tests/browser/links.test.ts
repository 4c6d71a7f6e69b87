import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import type { Device } from '../lib/device.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  message,
  newChat,
  newSpace,
  openT69,
  ready,
  say,
  signIn,
  signUp,
  spaceOf,
  synced,
  visit,
} from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')

/** The link that the address of a page is, on another device. */
const linkOn = (device: Device, page: Page): string => `${device.url}/${new URL(page.url()).hash}`

const notice = (page: Page) => page.getByTestId('notice')

story('a link to a space of one’s own opens it on a device that has not opened it yet', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(laptop.page, 'Diary')
  await say(laptop.page, 'Sunny')
  await synced(laptop.page)
  const spaceId = await spaceOf(laptop.page)
  await newSpace(laptop.page, 'Work')
  await newChat(laptop.page, 'Plans')
  await say(laptop.page, 'Ship it')
  await synced(laptop.page)
  const work = await spaceOf(laptop.page)

  // Signed out: the link waits for the sign-in, also over a reload.
  const phone = await stage.device("Anna's phone", { viewport: { width: 390, height: 844 } })
  const { page } = phone
  await page.goto(linkOn(phone, laptop.page))
  await notice(page).filter({ hasText: 'Sign in to open' }).waitFor()
  await stage.shot(phone, 'signed out')
  await page.reload()
  await notice(page).filter({ hasText: 'Sign in to open' }).waitFor()
  await ready(page)
  await signIn(page, anna)
  await message(page, 'Ship it').waitFor()
  expect(await spaceOf(page)).toBe(work)
  await notice(page).waitFor({ state: 'detached' })

  // Typed into the app, before the list of spaces has come: the server never lists them here.
  const list = /\/api\/spaces\?/
  await phone.context.route(list, () => {})
  await page.evaluate((hash) => void (location.hash = hash), `#${spaceId}`)
  await expect.poll(() => spaceOf(page)).toBe(spaceId)
  await page.goBack()
  await expect.poll(() => spaceOf(page)).toBe(work)
  await phone.context.unrouteAll()
})

story('a link that is opened offline waits, and opens once the server answers', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  const phone = await stage.device("Anna's phone")
  const { page } = phone
  await openT69(page, phone.url)
  await newChat(page, 'Mine')
  await signIn(page, anna)
  const own = await spaceOf(page)
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))

  await phone.goOffline()
  await newSpace(laptop.page, 'Diary')
  await newChat(laptop.page, 'Diary')
  await say(laptop.page, 'Sunny')
  await synced(laptop.page)
  const diary = await spaceOf(laptop.page)
  const link = linkOn(phone, laptop.page)
  await page.goto(link)
  await page.reload()
  await notice(page).filter({ hasText: 'cannot be reached' }).waitFor()
  expect(await spaceOf(page)).toBe(own)
  expect(page.url()).toBe(link)
  await phone.goOnline()
  await message(page, 'Sunny').waitFor()
  expect(await spaceOf(page)).toBe(diary)
  expect(page.url()).toBe(link)
})

story('a link to a space of somebody else says so, and leaves the space that is open', async (stage) => {
  const annas = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(annas.page, 'Secret')
  const bens = await openOwnSpace(stage, "Ben's laptop", accountOf('Ben'))
  const { page } = bens
  const own = await spaceOf(page)
  bens.expectErrors(/status of 404/)
  for (const how of ['opened', 'typed']) {
    if (how === 'opened') {
      await page.goto('about:blank')
      await page.goto(linkOn(bens, annas.page))
    } else await page.evaluate((hash) => void (location.hash = hash), new URL(annas.page.url()).hash)
    await notice(page).filter({ hasText: 'not a member' }).waitFor()
    expect(await spaceOf(page)).toBe(own)
    await expect.poll(() => new URL(page.url()).hash).toBe(`#${own}`)
  }
  await stage.shot(bens, 'not a member')
})

story('the id of a space is in no address before the server knows the space', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  const first = await spaceOf(page)
  const addresses: string[] = []
  page.on('framenavigated', () => addresses.push(page.url()))
  await newChat(page, 'One')
  await say(page, 'In the first space')
  await newSpace(page, 'Second')
  const second = await spaceOf(page)
  await newChat(page, 'Two')
  await say(page, 'In the second space')
  await page.reload()
  await ready(page)
  await message(page, 'In the second space').waitFor()

  // Back and forth go to the space that was open, which only this tab's history knows.
  await page.goBack()
  await page.goBack()
  await expect.poll(() => spaceOf(page)).toBe(first)
  await page.reload()
  await ready(page)
  expect(await spaceOf(page)).toBe(first)
  await page.goForward()
  await expect.poll(() => spaceOf(page)).toBe(second)
  await page.goForward()
  await message(page, 'In the second space').waitFor()
  expect(addresses.length).toBeGreaterThan(5)
  expect(addresses.filter((address) => address.includes(first) || address.includes(second))).toEqual([])

  await signUp(page, anna)
  await page.getByTestId('user-name').waitFor()
  expect(page.url()).not.toContain(second)
  const chat = await page.getByTestId('app').getAttribute('data-chat-id')
  await enableSync(page)
  await expect.poll(() => new URL(page.url()).hash).toBe(`#${second}/${chat}`)
  const phone = await stage.device("Anna's phone")
  await openT69(phone.page, phone.url)
  await signIn(phone.page, anna)
  await visit(phone.page, linkOn(phone, page))
  await message(phone.page, 'In the second space').waitFor()
})
