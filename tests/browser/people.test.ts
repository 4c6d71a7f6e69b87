import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { startFakeProvider } from '../lib/fake-provider.ts'
import { holdStores } from '../lib/local-db.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  hideSidebar,
  invite,
  message,
  messages,
  newChat,
  openSpace,
  openT69,
  ready,
  reload,
  say,
  setUpProvider,
  showSidebar,
  signIn,
  spaceOf,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')
const ben = accountOf('Ben')
const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }

/** Nobody else is in the chat. */
const gone = { state: 'attached' } as const

/** The line above the composer, in words. */
function activity(page: Page): Promise<string> {
  return page.getByTestId('activity').innerText()
}

story('people see who types and whose reply is written, in the chat and in the sidebar', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await setUpProvider(laptop.page, { name: 'Home', baseUrl: provider.baseUrl, model: 'small', key: 'k' })
  await laptop.page.getByTestId('close-dialog').click()
  await newChat(laptop.page, 'Garden')
  await newChat(laptop.page, 'Trip to the sea')
  const other = await acceptInvite(stage, "Ben's phone", ben, await invite(laptop.page, 'editor'), phone)
  const garden = treeItem(laptop.page, { title: 'Garden' })
  const trip = treeItem(laptop.page, { title: 'Trip to the sea' })

  // Ben is elsewhere: the list of people says where, and leads there.
  await showSidebar(other.page)
  await treeItem(other.page, { title: 'Garden' }).click()
  await garden.getByTestId('chat-people').waitFor()
  expect(await laptop.page.getByTestId('presence-chat').getAttribute('data-count')).toBe('0')
  await laptop.page.getByTestId('people').click()
  const place = laptop.page.getByTestId('person-here')
  await expect.poll(() => place.innerText()).toContain('In “Garden”')
  await stage.shot(laptop, 'where Ben is')
  await place.click()
  await laptop.page.locator('[data-testid=presence-chat][data-count="1"]').waitFor()

  await other.page.getByTestId('composer').pressSequentially('Tomato')
  await expect.poll(() => activity(laptop.page)).toBe('Ben is typing…')
  await stage.shot(laptop, 'Ben is typing')
  await trip.click()
  // He may have stopped by now.
  await other.page.getByTestId('composer').pressSequentially('es')
  await garden.locator('[data-testid=chat-writing][data-kind=typing]').waitFor()
  expect(await activity(laptop.page)).toBe('')
  await stage.shot(laptop, 'Ben is typing in another chat')
  await garden.click()
  // Without a key, it ends by itself.
  await laptop.page.locator('[data-testid=activity][data-typing="0"]').waitFor()
  await other.page.getByTestId('composer').press('x')
  await laptop.page.locator('[data-testid=activity][data-typing="1"]').waitFor()
  await other.page.getByTestId('send').click()
  await message(laptop.page, 'Tomatoesx').waitFor()
  await laptop.page.locator('[data-testid=activity][data-typing="0"]').waitFor()

  await say(laptop.page, 'When do I sow them?')
  await provider.stream('In March')
  await expect.poll(() => activity(other.page)).toBe('The AI is answering Anna…')
  await stage.shot(other, 'the AI is answering Anna')
  await showSidebar(other.page)
  await treeItem(other.page, { title: 'Garden' }).locator('[data-kind=reply]').waitFor()
  await stage.shot(other, 'a reply in the sidebar')
  await hideSidebar(other.page)
  provider.finish()
  await other.page.locator('[data-testid=activity][data-replying="0"]').waitFor()
})

story(
  'what others write is marked as new, in the sidebar, in the chat and in the tab, until it is read',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    await newChat(laptop.page, 'Garden')
    await say(laptop.page, 'Roses')
    await newChat(laptop.page, 'Trip')
    await say(laptop.page, 'one')
    const link = await invite(laptop.page, 'viewer')
    const spaceId = await spaceOf(laptop.page)
    const other = await acceptInvite(stage, "Ben's laptop", ben, link)
    const marks = (page: Page) => page.getByTestId('chat-unread')
    const trip = (page: Page) => treeItem(page, { title: 'Trip' })
    const garden = (page: Page) => treeItem(page, { title: 'Garden' })

    // What was there before Ben came is not new.
    await garden(other.page).click()
    await message(other.page, 'Roses').waitFor()
    expect(await marks(other.page).count()).toBe(0)
    await trip(other.page).click()
    await message(other.page, 'one').waitFor()
    // He leaves the chat, and something is written there.
    await garden(other.page).click()
    await laptop.page.locator('[data-testid=presence-chat][data-count="0"]').waitFor(gone)
    await say(laptop.page, 'two')
    await trip(other.page).getByTestId('chat-unread').waitFor()
    await expect.poll(() => other.page.title()).toBe('(1) Garden · t69')
    expect(await marks(other.page).count()).toBe(1)
    expect(await marks(laptop.page).count()).toBe(0)
    await stage.shot(other, 'something is new')
    await reload(other.page)
    await ready(other.page)
    await trip(other.page).getByTestId('chat-unread').waitFor()
    // What comes while he looks at it would not be new to him.
    await synced(other.page)
    await trip(other.page).click()
    await other.page.getByTestId('first-unread').waitFor()
    const first = other.page.getByTestId('message').filter({ has: other.page.getByTestId('first-unread') })
    expect(await first.getByTestId('message-text').innerText()).toBe('two')
    await stage.shot(other, 'the first new message')
    await marks(other.page).waitFor({ state: 'detached' })
    await expect.poll(() => other.page.title()).toBe('Trip · t69')

    // What he reads on one device is read on the other.
    const small = await stage.device("Ben's phone", phone)
    await openT69(small.page, small.url)
    await signIn(small.page, ben)
    await openSpace(small.page, spaceId)
    await synced(small.page)
    await garden(other.page).click()
    await laptop.page.locator('[data-testid=presence-chat][data-count="0"]').waitFor(gone)
    await say(laptop.page, 'three')
    await showSidebar(small.page)
    for (const { page } of [other, small]) await trip(page).getByTestId('chat-unread').waitFor()
    await stage.shot(small, 'something is new')
    await trip(small.page).click()
    await marks(other.page).waitFor({ state: 'detached' })
  },
)

story('people mention each other and the AI, which answers whom it is asked by', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await setUpProvider(laptop.page, { name: 'Home', baseUrl: provider.baseUrl, model: 'small', key: 'k' })
  await laptop.page.getByTestId('close-dialog').click()
  await newChat(laptop.page, 'Garden')
  await say(laptop.page, 'Roses')
  await provider.stream('are red')
  provider.finish()
  await newChat(laptop.page, 'Trip')
  const link = await invite(laptop.page, 'editor')
  const other = await acceptInvite(stage, "Ben's laptop", ben, link)
  await treeItem(other.page, { title: 'Garden' }).click()
  await message(other.page, 'Roses').waitFor()

  // With the keys: the name is completed, and Enter does not send yet.
  const composer = laptop.page.getByTestId('composer')
  await laptop.page.locator('[data-testid=presence-space][data-count="1"]').waitFor()
  await composer.click()
  await composer.pressSequentially('@')
  const options = laptop.page.getByTestId('mention-option')
  await expect.poll(() => options.allInnerTexts()).toEqual(['Ben', 'AI\nanswers you'])
  await stage.shot(laptop, 'whom to mention')
  expect(await composer.getAttribute('aria-activedescendant')).toBe(await options.first().getAttribute('id'))
  await composer.press('ArrowDown')
  await composer.press('ArrowUp')
  await composer.press('Enter')
  expect(await composer.inputValue()).toBe('@Ben ')
  await composer.pressSequentially('who brings the tent?')
  await composer.press('Enter')
  await message(laptop.page, '@Ben who brings the tent?').waitFor()
  const trip = treeItem(other.page, { title: 'Trip' })
  await trip.getByTestId('chat-mention').waitFor()
  await stage.shot(other, 'mentioned elsewhere')
  await trip.click()
  await other.page.getByTestId('mentions-me').waitFor()
  await trip.getByTestId('chat-mention').waitFor({ state: 'detached' })
  await stage.shot(other, 'mentioned')
  // It was to Ben, and not to the AI.
  expect(provider.asked).toHaveLength(1)

  // For everybody in the chat, the AI answers only when it is mentioned.
  await laptop.page.getByTestId('answers-switch').click()
  await stage.shot(laptop, 'when the AI answers')
  await laptop.page.getByTestId('answers-mentioned').click()
  await other.page.locator('[data-testid=answers][data-answers=mentioned]').waitFor()
  await say(laptop.page, 'I could ask my sister')
  await composer.pressSequentially('@ai')
  await composer.press('Tab')
  await composer.pressSequentially('how heavy is a tent?')
  await composer.press('Enter')
  await provider.stream('Three kilos')
  provider.finish()
  await message(other.page, 'Three kilos').waitFor()
  expect(provider.asked).toHaveLength(2)
  expect(await messages(laptop.page)).toEqual([
    '@Ben who brings the tent?',
    'I could ask my sister',
    '@AI how heavy is a tent?',
    'Three kilos',
  ])

  // So it does for a message that is sent before the chat has loaded.
  await treeItem(laptop.page, { title: 'Garden' }).click()
  await message(laptop.page, 'Roses').waitFor()
  await reload(laptop.page)
  await ready(laptop.page)
  const release = await holdStores(laptop.page, 'treeOps')
  await treeItem(laptop.page, { title: 'Trip' }).click()
  await composer.fill('We have one already')
  await composer.press('Enter')
  await release()
  await message(laptop.page, 'We have one already').waitFor()
  await synced(laptop.page)
  expect(provider.asked).toHaveLength(2)

  // Of two names of which one begins the other, the first Enter takes one, and the second sends.
  await acceptInvite(stage, "Ben Smith's laptop", { ...accountOf('Smith'), name: 'Ben Smith' }, link)
  await composer.pressSequentially('Thanks @Ben')
  await expect.poll(() => options.allInnerTexts()).toEqual(['Ben', 'Ben Smith'])
  await composer.press('Enter')
  expect(await composer.inputValue()).toBe('Thanks @Ben ')
  expect(await options.count()).toBe(0)
  await composer.press('Enter')
  await expect.poll(async () => (await messages(laptop.page)).at(-1)).toBe('Thanks @Ben')
  // Whoever took the wrong one goes back, and whoever sends with the button begins anew.
  await composer.pressSequentially('@Ben')
  await composer.press('Enter')
  await composer.press('Backspace')
  await expect.poll(() => options.allInnerTexts()).toEqual(['Ben', 'Ben Smith'])
  await laptop.page.getByTestId('send').click()
  await expect.poll(async () => (await messages(laptop.page)).at(-1)).toBe('@Ben')
  await options.first().waitFor({ state: 'detached' })
  await composer.pressSequentially('@')
  await options.first().waitFor()
})

story('somebody is mentioned without a network too, and finds the mark once there is one', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  const { page } = laptop
  await setUpProvider(page, { name: 'Home', baseUrl: provider.baseUrl, model: 'small', key: 'k' })
  await page.getByTestId('close-dialog').click()
  await newChat(page, 'Garden')
  await newChat(page, 'Trip')
  const other = await acceptInvite(stage, "Ben's laptop", ben, await invite(page, 'editor'))
  await treeItem(other.page, { title: 'Garden' }).click()
  await page.locator('[data-testid=presence-space][data-count="1"]').waitFor()
  await synced(page)
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => null))
  await laptop.goOffline()
  await reload(page)
  await ready(page)
  await say(page, '@Ben who brings the tent?')
  await laptop.goOnline()
  await treeItem(other.page, { title: 'Trip' }).getByTestId('chat-mention').waitFor()
  // It was to Ben, and not to the AI.
  expect(await messages(page)).toEqual(['@Ben who brings the tent?'])
})

story(
  'a role that changes under somebody’s hands says so, and leaves their words to be copied',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    await newChat(laptop.page, 'Trip')
    await say(laptop.page, 'one')
    const other = await acceptInvite(stage, "Ben's laptop", ben, await invite(laptop.page, 'editor'))
    await other.page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    const { page } = other
    await treeItem(page, { title: 'Trip' }).click()
    await say(page, 'two')
    await synced(page)
    await message(page, 'two').hover()
    await message(page, 'two').getByTestId('edit-message').click()
    await page.getByTestId('edit-input').fill('two, better')
    await page.getByTestId('composer').fill('half a message')

    async function setRole(role: 'editor' | 'viewer'): Promise<void> {
      await laptop.page.getByTestId('share').click()
      const row = laptop.page.getByTestId('member').filter({ hasText: 'Ben' })
      await row.getByTestId('member-role').selectOption(role)
      await laptop.page.getByTestId('close-dialog').click()
    }
    await setRole('viewer')
    const notice = page.getByTestId('notice')
    await expect.poll(() => notice.innerText()).toContain('You can only read this space now.')
    await stage.shot(other, 'only a viewer now')
    const copied = () => page.evaluate(() => navigator.clipboard.readText())
    await page.getByTestId('copy-draft').click()
    await expect.poll(copied).toBe('half a message')
    await page.getByTestId('copy-edit').click()
    await expect.poll(copied).toBe('two, better')
    expect(await page.getByTestId('edit-save').isDisabled()).toBe(true)
    await page.getByTestId('composer').press('Enter')
    expect(await page.getByTestId('composer').inputValue()).toBe('half a message')

    // At once, because it goes by itself.
    await Promise.all([
      setRole('editor'),
      notice.filter({ hasText: 'You can edit this space now.' }).waitFor(),
    ])
    await page.getByTestId('edit-save').click()
    await page.getByTestId('send').click()
    await message(laptop.page, 'two, better').waitFor()
    await message(laptop.page, 'half a message').waitFor()
  },
)
