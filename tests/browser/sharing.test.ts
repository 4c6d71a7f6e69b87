import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  invite,
  message,
  messages,
  newChat,
  newFolder,
  openT69,
  say,
  setUpProvider,
  showSidebar,
  signUp,
  synced,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')
const ben = accountOf('Ben')

story('two people in one space see each other’s messages and moves within a moment', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(laptop.page, 'Trip to the sea')
  await say(laptop.page, 'Who brings the tent?')
  const link = await invite(laptop.page, 'editor')
  await stage.shot(laptop, 'invited')
  const other = await acceptInvite(stage, "Ben's laptop", ben, link)
  await treeItem(other.page, { title: 'Trip to the sea' }).click()
  await expect.poll(() => messages(other.page)).toEqual(['Who brings the tent?'])

  await say(other.page, 'I do')
  await message(laptop.page, 'I do').waitFor()
  await say(laptop.page, 'Then I bring the stove')
  await message(other.page, 'Then I bring the stove').waitFor()
  await expect.poll(() => message(laptop.page, 'I do').getAttribute('data-author')).toBe('Ben')

  await newFolder(other.page, 'Summer')
  await treeItem(laptop.page, { title: 'Summer' }).waitFor()
  await treeItem(laptop.page, { title: 'Trip to the sea' }).dragTo(treeItem(laptop.page, { title: 'Summer' }))
  await expect.poll(() => treeRows(laptop.page)).toContain('  Trip to the sea')
  const toggle = treeItem(other.page, { title: 'Summer' })
  await expect.poll(() => toggle.getAttribute('aria-expanded')).not.toBeNull()
  if ((await toggle.getAttribute('aria-expanded')) === 'false')
    await toggle.getByTestId('tree-toggle').click()
  await expect.poll(() => treeRows(other.page)).toEqual(['Summer', '  Trip to the sea'])
  await stage.shot(laptop, 'both in the chat')
  await stage.shot(other, 'both in the chat')
})

story('people in a chat see who else is there, until that person leaves', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(laptop.page, 'Here')
  const other = await acceptInvite(stage, "Ben's laptop", ben, await invite(laptop.page, 'editor'))
  await treeItem(other.page, { title: 'Here' }).click()
  const benHere = laptop.page.getByTestId('presence-chat').locator('[data-name=Ben]')
  await benHere.waitFor()
  await stage.shot(laptop, 'Ben is here')
  await other.page.close()
  await benHere.waitFor({ state: 'detached' })
})

story(
  'a viewer sees everything live and cannot edit, and a removed member sees nothing new',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    await newChat(laptop.page, 'Notice board')
    await say(laptop.page, 'Water is off on Monday')
    // No server listens there.
    await setUpProvider(laptop.page, { name: 'Home', baseUrl: 'http://127.0.0.1:9', model: 'small', key: '' })
    await laptop.page.getByTestId('close-dialog').click()
    laptop.expectErrors(/127\.0\.0\.1:9|ERR_/)
    const other = await acceptInvite(stage, "Ben's laptop", ben, await invite(laptop.page, 'viewer'))
    await treeItem(other.page, { title: 'Notice board' }).click()
    await expect.poll(() => messages(other.page)).toEqual(['Water is off on Monday'])
    await say(laptop.page, 'And on Tuesday')
    await message(other.page, 'And on Tuesday').waitFor()
    await stage.shot(other, 'as a viewer')
    await other.page.getByTestId('settings').click()
    await other.page.getByTestId('provider').waitFor()
    expect(await other.page.getByTestId('provider-remove').count()).toBe(0)
    await other.page.getByTestId('close-dialog').click()
    // The second press takes back what the first one asked for.
    await other.page.getByTestId('share').click()
    await other.page.getByTestId('member-remove').dblclick()
    await other.page.getByTestId('member-remove').waitFor()
    await other.page.getByTestId('share-dialog').getByTestId('close-dialog').click()

    await showSidebar(laptop.page)
    await laptop.page.getByTestId('share').click()
    const row = laptop.page.getByTestId('member').filter({ hasText: 'Ben' })
    await expect.poll(() => row.getAttribute('data-role')).toBe('viewer')
    await row.getByTestId('member-remove').click()
    await row.waitFor({ state: 'detached' })
    await stage.shot(laptop, 'Ben removed')
    await laptop.page.getByTestId('close-dialog').click()
    await other.page.locator('[data-testid=sync-status][data-phase=blocked]').waitFor()
    await say(laptop.page, 'Ben does not see this')
    await synced(laptop.page)
    await stage.shot(other, 'after the removal')
    expect(await message(other.page, 'Ben does not see this').count()).toBe(0)
  },
)

story('messages written before signing in are shown to others with their author’s name', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  await openT69(laptop.page, laptop.url)
  await say(laptop.page, 'From before')
  const before = message(laptop.page, 'From before')
  expect(await before.getAttribute('data-author')).toBe('You')
  await signUp(laptop.page, anna)
  await enableSync(laptop.page)
  await expect.poll(() => before.getAttribute('data-author')).toBe('Anna')
  const other = await acceptInvite(stage, "Ben's laptop", ben, await invite(laptop.page, 'editor'))
  await treeItem(other.page, { title: 'From before' }).click()
  const there = message(other.page, 'From before')
  await expect.poll(() => there.getAttribute('data-author')).toBe('Anna')
  expect(await there.getByTestId('message-note').innerText()).toContain('Written while signed out')
  expect(await before.getByTestId('message-note').count()).toBe(0)
  expect(await there.getByTestId('edit-message').count()).toBe(0)
  expect(await before.getByTestId('edit-message').count()).toBe(1)
  await stage.shot(other, 'a message from before')
})
