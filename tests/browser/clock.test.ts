import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  message,
  messages,
  newChat,
  openT69,
  say,
  signUp,
  spaceOf,
  synced,
} from '../lib/t69-page.ts'
import { openElsewhere } from '../lib/tabs-of.ts'

const anna = accountOf('Anna')
const yearMs = 366 * 86_400_000

/** Runs in a page: makes its wall clock wrong by as much as `localStorage` says, also after a reload. */
const wrongClock = `
  const RightDate = Date
  const skewMs = () => Number(localStorage.getItem('test-skew') ?? 0)
  window.Date = class extends RightDate {
    constructor(...args) { if (args.length === 0) super(RightDate.now() + skewMs()); else super(...args) }
    static now() { return RightDate.now() + skewMs() }
  }`

async function setClock(page: Page, skewMs: number): Promise<void> {
  await page.evaluate((skew) => localStorage.setItem('test-skew', String(skew)), skewMs)
  const now = await page.evaluate(() => Date.now())
  expect(Math.abs(now - Date.now() - skewMs)).toBeLessThan(60_000)
}

story(
  'setting the clock a year back or ahead loses no message, keeps their order and signs nobody out',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    // A token may expire on its way to a busy server. It is renewed then.
    laptop.expectErrors(/status of 401/)
    await laptop.context.addInitScript(wrongClock)
    const renewed = () => page.waitForResponse((response) => response.url().endsWith('/api/auth/refresh'))
    // Before the app is opened for the first time.
    await page.goto(`${laptop.url}/health`)
    await setClock(page, -yearMs)
    await openT69(page, laptop.url)
    await signUp(page, anna)
    await enableSync(page)
    await newChat(page, 'Diary')
    await say(page, 'A year ago')
    const phone = await openElsewhere(stage, anna, { spaceId: await spaceOf(page), chat: 'Diary' })
    phone.expectErrors(/status of 401/)
    await say(phone.page, 'Today')
    await message(page, 'Today').waitFor()
    await say(page, 'A year ago, after today')
    await renewed()
    await synced(page)

    // With the page open.
    await setClock(page, yearMs)
    await say(page, 'In a year')
    await renewed()
    await say(page, 'In a year, with another token')
    await message(phone.page, 'In a year, with another token').waitFor()
    await say(phone.page, 'Today, after that')
    await page.reload()
    await synced(page)
    await setClock(page, -yearMs)
    await say(page, 'A year ago once more')
    await renewed()
    await synced(page)
    await setClock(page, 0)
    await say(page, 'Today at last')
    await synced(page)

    const said = [
      'A year ago',
      'Today',
      'A year ago, after today',
      'In a year',
      'In a year, with another token',
      'Today, after that',
      'A year ago once more',
      'Today at last',
    ]
    for (const one of [page, phone.page]) await expect.poll(() => messages(one)).toEqual(said)
    await stage.shot(phone, 'in the order in which it was written')
  },
  // Tokens expire during the story.
  { env: { ACCESS_TOKEN_TTL: '5s' } },
)
