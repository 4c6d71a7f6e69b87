import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import type { Device } from '../lib/device.ts'
import { startFakeProvider } from '../lib/fake-provider.ts'
import { readStore } from '../lib/local-db.ts'
import { story, type Stage } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  hideSidebar,
  invite,
  message,
  messages,
  newChat,
  newSpace,
  openT69,
  ready,
  say,
  setUpProvider,
  showSidebar,
  signIn,
  signOut,
  signUp,
  submitSignUp,
  spaceOf,
  synced,
  treeItem,
  visit,
} from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')
const ben = accountOf('Ben')
const handheld = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }
const home = { name: 'Home', model: 'small', key: 'key-of-anna' }

/** Anna's device with a synced space, a provider with her key, and a chat. */
async function annasLaptop(stage: Stage, baseUrl: string): Promise<Device> {
  const laptop = await openOwnSpace(stage, 'Shared laptop', anna)
  await setUpProvider(laptop.page, { ...home, baseUrl })
  await laptop.page.getByTestId('close-dialog').click()
  await newChat(laptop.page, 'Diary')
  await synced(laptop.page)
  return laptop
}

/** Everything that the page shows or says of itself. */
async function everythingOn(page: Page): Promise<string> {
  const texts = page.evaluate(() => {
    const typed = Array.from(document.querySelectorAll('input, textarea'), (field) =>
      Reflect.get(field, 'value'),
    )
    return [document.documentElement.outerHTML, document.title, location.href, ...typed].join('\n')
  })
  return await texts
}

story(
  'after signing out nobody reads, writes, draws up a draft or spends a key in the account’s spaces',
  async (stage) => {
    using provider = await startFakeProvider()
    const laptop = await annasLaptop(stage, provider.baseUrl)
    const { page } = laptop
    const spaceId = await spaceOf(page)
    const second = await laptop.newTab(new URL(page.url()).hash.replace('#', '/#'))
    await ready(second)

    await say(page, 'SECRET question')
    await provider.stream('SECRET answ')
    await message(second, 'SECRET answ').waitFor()
    await page.getByTestId('composer').fill('SECRET draft')
    await showSidebar(page)
    await page.getByTestId('account').click()
    await page.getByTestId('sign-out').click()
    await stage.shot(laptop, 'asked')
    // The other tab may be asking for the list of spaces at this moment.
    laptop.expectErrors(/status of 401/)
    await page.getByTestId('confirm').click()

    // Off the screen in both tabs, with titles, addresses and drafts.
    for (const tab of [page, second]) {
      await tab.locator('[data-testid=sync-status][data-phase=local]').waitFor()
      expect(await everythingOn(tab)).not.toMatch(/SECRET|Diary|Anna|key-of/)
      expect(await tab.getByTestId('app').getAttribute('data-space-id')).not.toBe(spaceId)
    }
    await stage.shot(laptop, 'signed out')
    await say(page, 'a stranger writes')
    await page.goto(new URL(`/#${spaceId}`, laptop.url).href)
    await page.reload()
    await ready(page)
    expect(await everythingOn(page)).not.toMatch(/SECRET|Diary|Anna|key-of/)

    // Another account has none of it either.
    await signUp(page, ben)
    await hideSidebar(page)
    await page.getByTestId('sync-question').waitFor()
    await stage.shot(laptop, 'one question')
    await page.getByTestId('sync-question-no').click()
    await page.getByTestId('sync-question').waitFor({ state: 'detached' })
    await newSpace(page, 'Band')
    await synced(page)
    await page.getByTestId('space-switcher').click()
    await page.getByTestId('space-item').first().waitFor()
    expect(await page.getByTestId('space-item').allInnerTexts()).toHaveLength(2)
    await page.keyboard.press('Escape')
    expect(await everythingOn(page)).not.toMatch(/SECRET|Diary|key-of/)
    await signOut(page)
    expect(await everythingOn(page)).not.toMatch(/Band/)

    // Everything is there again for her: the chat, the part of the reply that had come, the draft, the key.
    await signIn(page, anna)
    await message(page, 'SECRET question').waitFor()
    await expect.poll(() => messages(page)).toEqual(['SECRET question', 'SECRET answ'])
    await expect.poll(() => page.getByTestId('composer').inputValue()).toBe('SECRET draft')
    expect(await page.getByTestId('message').first().getAttribute('data-author')).toBe('Anna')
    await synced(page)
    await stage.shot(laptop, 'signed in again')
    expect(provider.asked).toEqual(['Bearer key-of-anna'])
    provider.finish()
    await page.getByTestId('composer').fill('')
    await say(page, 'and again')
    await expect.poll(() => provider.asked).toEqual(['Bearer key-of-anna', 'Bearer key-of-anna'])
  },
)

story(
  'a device that forgets an account keeps nothing of it, and names first what the server never got',
  async (stage) => {
    const phone = await stage.device("Anna's phone", handheld)
    const { page } = phone
    await openT69(page, phone.url)
    await signUp(page, anna)
    await enableSync(page)
    await newChat(page, 'Diary')
    await say(page, 'SECRET and sent')
    await synced(page)
    await showSidebar(page)
    await setUpProvider(page, { ...home, baseUrl: 'http://127.0.0.1:9/v1' })
    await page.getByTestId('close-dialog').click()
    await synced(page)
    await phone.goOffline()
    phone.expectErrors(/No reply|net::/)
    await say(page, 'SECRET and only here')
    await page.getByTestId('composer').fill('SECRET draft')

    await showSidebar(page)
    await page.getByTestId('account').click()
    await page.getByTestId('sign-out').click()
    await page.getByTestId('sign-out-forget').check()
    await page.getByTestId('unsent-space').waitFor()
    expect(await page.getByTestId('unsent-space').innerText()).toMatch(/^\d+ edits in .My space.$/)
    expect(Number(await page.getByTestId('unsent-space').getAttribute('data-edits'))).toBeGreaterThan(0)
    await stage.shot(phone, 'named')
    await page.getByTestId('confirm').click()
    await page.locator('[data-testid=sync-status][data-phase=local]').waitFor()
    await stage.shot(phone, 'forgotten')

    for (const store of [
      'spaces',
      'treeOps',
      'segments',
      'outbox',
      'rejected',
      'sync',
      'secrets',
      'config',
    ]) {
      const rows = JSON.stringify(await readStore(page, store))
      expect(rows, store).not.toMatch(/SECRET|Diary|key-of|anna@|Anna/i)
    }
    const notes = await page.evaluate(() => Object.values(localStorage).join())
    expect(notes).not.toMatch(/SECRET/)

    await phone.goOnline()
    await signIn(page, anna)
    await showSidebar(page)
    await treeItem(page, { title: 'Diary' }).click()
    await message(page, 'SECRET and sent').waitFor()
    expect(await message(page, 'SECRET and only here').count()).toBe(0)
  },
)

story(
  'a space that the device keeps for one account is named to another that is a member too, and does not open',
  async (stage) => {
    const laptop = await openOwnSpace(stage, 'Shared laptop', anna)
    const { page } = laptop
    await newChat(page, 'Band')
    await say(page, 'SECRET until Ben has his own copy')
    await synced(page)
    const link = await invite(page, 'editor')
    await signOut(page)
    await visit(page, new URL(new URL(link).pathname, laptop.url).href)
    await page.getByTestId('invite-sign-up').click()
    await submitSignUp(page, ben)
    await page.getByTestId('invite-join').click()
    await page.getByText('This device keeps “My space” for another account').first().waitFor()
    await page.setViewportSize({ width: 390, height: 780 })
    await stage.shot(laptop, 'told')
    expect(await everythingOn(page)).not.toMatch(/SECRET/)
    await page.setViewportSize({ width: 1200, height: 800 })
    await page.reload()
    await ready(page)
    await page.getByTestId('space-switcher').click()
    await page.getByTestId('space-item').first().waitFor()
    expect((await page.getByTestId('space-item').allInnerTexts()).join()).toContain(
      'Kept for another account',
    )
    await page.keyboard.press('Escape')
    await signOut(page)
    await signIn(page, anna)
    await message(page, 'SECRET until Ben has his own copy').waitFor()
    await signOut(page, 'forget')
    await signIn(page, ben)
    await message(page, 'SECRET until Ben has his own copy')
      .or(treeItem(page, { title: 'Band' }))
      .first()
      .waitFor()
    await synced(page)
  },
)
