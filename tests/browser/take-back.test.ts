import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  invite,
  message,
  messages,
  newChat,
  newFolder,
  openT69,
  renameItem,
  say,
  showSidebar,
  synced,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')
const ben = accountOf('Ben')
const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }

async function remove(page: Page, title: string): Promise<void> {
  const item = treeItem(page, { title })
  await item.hover()
  await item.getByTestId('tree-menu').click()
  await page.getByTestId('menu-delete').click()
  await item.waitFor({ state: 'detached' })
}

async function openList(page: Page): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('space-switcher').click()
  await page.getByTestId('recently-deleted').click()
  await page.getByTestId('deleted-dialog').waitFor()
}

story('a person takes back what they did, step by step, and does it again', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  const { page } = laptop
  await newFolder(page, 'Summer')
  await treeItem(page, { title: 'Summer' }).click()
  await newChat(page, 'Tent')
  const states = [await treeRows(page)]
  const note = async () => states.push(await treeRows(page))
  await renameItem(page, treeItem(page, { title: 'Tent' }), 'Tents')
  await note()
  await treeItem(page, { title: 'Tents' }).click()
  await page.keyboard.press('Control+x')
  await newFolder(page, 'Winter')
  await note()
  await page.keyboard.press('Control+v')
  await expect.poll(() => treeRows(page)).toEqual(['Summer', '  Winter', '    Tents'])
  await note()
  await remove(page, 'Winter')
  await note()
  expect(states.at(-1)).toEqual(['Summer'])

  await page.getByTestId('tree').focus()
  // The new folder, and its name, are two steps.
  const unnamed = ['Summer', '  New folder', '  Tents']
  for (const state of [states[3], states[2], unnamed, states[1], states[0]]) {
    await page.keyboard.press('Control+z')
    await expect.poll(() => treeRows(page)).toEqual(state)
  }
  await expect.poll(() => page.getByTestId('notice').innerText()).toContain('Undone: Rename “Tent”')
  await stage.shot(laptop, 'taken back')
  for (const key of ['Control+Shift+z', 'Control+y', 'Control+y', 'Control+y', 'Control+y'])
    await page.keyboard.press(key)
  await expect.poll(() => treeRows(page)).toEqual(states.at(-1))
  await synced(page)

  // In a field, the browser's own undo works.
  await page.getByTestId('composer').click()
  await page.getByTestId('composer').pressSequentially('ab')
  await page.keyboard.press('Control+z')
  expect(await treeRows(page)).toEqual(['Summer'])
  expect(await page.getByTestId('composer').inputValue()).not.toBe('ab')
})

story('nobody takes back what somebody else did meanwhile', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(laptop.page, 'Trip')
  const other = await acceptInvite(stage, "Ben's laptop", ben, await invite(laptop.page, 'editor'))
  // He has no chat open.
  await laptop.page.locator('[data-testid=presence-space][data-count="1"]').waitFor()
  await renameItem(laptop.page, treeItem(laptop.page, { title: 'Trip' }), 'Trip to the sea')
  await treeItem(other.page, { title: 'Trip to the sea' }).waitFor()
  await renameItem(other.page, treeItem(other.page, { title: 'Trip to the sea' }), 'Trip to the lake')
  await treeItem(laptop.page, { title: 'Trip to the lake' }).waitFor()
  await synced(other.page)
  await laptop.page.getByTestId('tree').focus()
  await laptop.page.keyboard.press('Control+z')
  const notice = laptop.page.getByTestId('notice')
  await expect
    .poll(() => notice.innerText())
    .toContain('This was not undone, because “Ben” has changed it since')
  expect(await treeRows(laptop.page)).toEqual(['Trip to the lake'])
  await stage.shot(laptop, 'Ben has changed it since')
})

story('one message is deleted and comes back, by the notice, by the keys, and by the list', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  const { page } = laptop
  await newChat(page, 'Plan')
  for (const text of ['one', 'two', 'three']) await say(page, text)
  const other = await acceptInvite(stage, "Ben's phone", ben, await invite(page, 'editor'), phone)
  await showSidebar(other.page)
  await treeItem(other.page, { title: 'Plan' }).click()
  await expect.poll(() => messages(other.page)).toEqual(['one', 'two', 'three'])

  const remove = async (text: string) => {
    await message(page, text).hover()
    await message(page, text).getByTestId('delete-message').click()
  }
  await remove('two')
  for (const each of [page, other.page]) await expect.poll(() => messages(each)).toEqual(['one', 'three'])
  await stage.shot(laptop, 'deleted')
  await page.getByTestId('notice').getByTestId('undo').click()
  for (const each of [page, other.page])
    await expect.poll(() => messages(each)).toEqual(['one', 'two', 'three'])

  await remove('three')
  await say(page, 'four')
  await page.getByTestId('chat').click()
  await page.keyboard.press('Control+z')
  await expect.poll(() => messages(page)).toEqual(['one', 'two', 'three', 'four'])
  await page.keyboard.press('Control+Shift+z')
  await expect.poll(() => messages(page)).toEqual(['one', 'two', 'four'])

  await openList(other.page)
  const row = other.page.getByTestId('deleted-message')
  await expect.poll(() => row.innerText()).toContain('Anna')
  expect(await row.innerText()).toContain('three')
  await stage.shot(other, 'the list')
  await row.getByTestId('restore-message').click()
  await row.waitFor({ state: 'detached' })
  await other.page.getByTestId('close-dialog').click()
  for (const each of [page, other.page])
    await expect.poll(() => messages(each)).toEqual(['one', 'two', 'three', 'four'])

  // An edit is undone too.
  await message(page, 'four').hover()
  await message(page, 'four').getByTestId('edit-message').click()
  await page.getByTestId('edit-input').fill('five')
  await page.getByTestId('edit-save').click()
  await expect.poll(() => messages(other.page)).toEqual(['one', 'two', 'three', 'five'])
  await page.keyboard.press('Control+z')
  for (const each of [page, other.page])
    await expect.poll(() => messages(each)).toEqual(['one', 'two', 'three', 'four'])
})

story('a second press, and a key that is held down, delete and restore nothing more', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  for (const title of ['One', 'Two', 'Three']) await newChat(page, title)
  await treeItem(page, { title: 'Two' }).click()
  await page.keyboard.down('Delete')
  for (let repeat = 0; repeat < 3; repeat++) await page.keyboard.down('Delete')
  await page.keyboard.up('Delete')
  await expect.poll(() => treeRows(page)).toEqual(['Three', 'One'])
  await page.keyboard.press('Delete')
  await expect.poll(() => treeRows(page)).toHaveLength(1)

  /** Presses what is in the middle of a button, and once more as soon as `done`. */
  const pressTwice = async (testid: string, done: () => Promise<boolean>): Promise<void> => {
    const box = await page.getByTestId(testid).last().boundingBox()
    const at = [(box?.x ?? 0) + (box?.width ?? 0) / 2, (box?.y ?? 0) + (box?.height ?? 0) / 2] as const
    await page.mouse.click(...at)
    await expect.poll(done, { interval: 10 }).toBe(true)
    await page.mouse.click(...at)
    await page.waitForTimeout(700)
  }
  await treeItem(page, {}).click()
  for (const text of ['first', 'second', 'third']) await say(page, text)
  await message(page, 'third').hover()
  await pressTwice('delete-message', async () => (await messages(page)).length === 2)
  expect(await messages(page)).toEqual(['first', 'second'])
  await message(page, 'second').hover()
  await page.getByTestId('delete-message').last().click()
  await expect.poll(() => messages(page)).toEqual(['first'])

  await openList(page)
  const deleted = page.getByTestId('deleted-message')
  expect(await deleted.count()).toBe(2)
  const first = await deleted.first().getByTestId('restore-message').boundingBox()
  const at = [(first?.x ?? 0) + 10, (first?.y ?? 0) + 10] as const
  await page.mouse.click(...at)
  await expect.poll(() => deleted.count(), { interval: 10 }).toBe(1)
  await page.mouse.click(...at)
  await page.waitForTimeout(700)
  expect(await deleted.count()).toBe(1)
})

story(
  'two people who undo each other’s edits without knowing are told, and can have either',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    for (const title of ['Trip', 'Garden']) await newChat(laptop.page, title)
    await say(laptop.page, 'Roses')
    await treeItem(laptop.page, { title: 'Trip' }).click()
    await say(laptop.page, 'one')
    const other = await acceptInvite(stage, "Ben's laptop", ben, await invite(laptop.page, 'editor'))
    await treeItem(other.page, { title: 'Trip' }).click()
    await message(other.page, 'one').waitFor()
    await synced(other.page)

    await other.goOffline()
    await other.page.locator('[data-testid=sync-status][data-phase=offline]').waitFor()
    for (const [old, title] of [
      ['Trip', 'Lake'],
      ['Garden', 'Roses'],
    ] as const)
      await renameItem(other.page, treeItem(other.page, { title: old }), title)
    await renameItem(laptop.page, treeItem(laptop.page, { title: 'Trip' }), 'Sea')
    await remove(laptop.page, 'Garden')
    await synced(laptop.page)
    await other.goOnline()
    await synced(other.page)

    const clashes = other.page.getByTestId('clash')
    await expect.poll(() => clashes.count()).toBe(2)
    await stage.shot(other, 'undone by each other')
    const renamed = clashes.filter({ hasText: 'called it' })
    expect(await renamed.innerText()).toContain('Anna called it “Sea” while you called it “Lake”.')
    const kept = (await renamed.innerText()).includes('Now it is “Lake”.') ? 'Lake' : 'Sea'
    await treeItem(laptop.page, { title: kept }).waitFor()
    await renamed.getByTestId('use-other').click()
    for (const { page } of [laptop, other])
      await treeItem(page, { title: kept === 'Lake' ? 'Sea' : 'Lake' }).waitFor()
    const deleted = clashes.filter({ hasText: 'deleted “Roses” while you were changing it.' })
    await deleted.getByTestId('use-other').click()
    for (const { page } of [laptop, other]) await treeItem(page, { title: 'Roses' }).waitFor()
    await expect.poll(() => clashes.count()).toBe(0)
  },
)
