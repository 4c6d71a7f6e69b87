import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import type { Device } from '../lib/device.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  invite,
  newChat,
  newFolder,
  newSpace,
  openSpace,
  openT69,
  ready,
  reload,
  showSidebar,
  signIn,
  spaceOf,
  synced,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')
const ben = accountOf('Ben')
const vera = accountOf('Vera')

/** Creates a folder with three chats and a folder in it, which has another chat, and a chat beside them. */
async function fillSpace(page: Page): Promise<void> {
  await newChat(page, 'Groceries')
  await newFolder(page, 'Summer')
  await newFolder(page, 'Sea')
  await newChat(page, 'Tent')
  await treeItem(page, { title: 'Summer' }).click()
  for (let count = 1; count <= 3; count++) await newChat(page, `Day ${count}`)
  await synced(page)
}

async function openFolders(page: Page, ...titles: string[]): Promise<void> {
  await showSidebar(page)
  for (const title of titles) {
    const folder = treeItem(page, { title })
    await folder.waitFor()
    if ((await folder.getAttribute('aria-expanded')) === 'false')
      await folder.getByTestId('tree-toggle').click()
  }
}

async function removeItem(page: Page, title: string): Promise<void> {
  const item = treeItem(page, { title })
  await item.hover()
  await item.getByTestId('tree-menu').click()
  await page.getByTestId('menu-delete').click()
  await item.waitFor({ state: 'detached' })
}

async function openList(device: Device): Promise<void> {
  await showSidebar(device.page)
  await device.page.getByTestId('space-switcher').click()
  await device.page.getByTestId('recently-deleted').click()
  await device.page.getByTestId('deleted-dialog').waitFor()
}

story(
  'one person deletes nearly everything, another undoes it, and everything is back in its place',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    await fillSpace(laptop.page)
    const other = await acceptInvite(stage, "Ben's laptop", ben, await invite(laptop.page, 'editor'))
    const reader = await acceptInvite(stage, "Vera's laptop", vera, await invite(laptop.page, 'viewer'))
    const devices = [laptop, other, reader]
    for (const { page } of devices) await openFolders(page, 'Summer', 'Sea')
    const before = await treeRows(laptop.page)
    expect(before).toHaveLength(7)
    for (const { page } of devices) await expect.poll(() => treeRows(page)).toEqual(before)

    await removeItem(other.page, 'Summer')
    const notices = devices.map(({ page }) => page.getByTestId('mass-deletion'))
    const [hers, his, readers] = notices
    await hers!.waitFor()
    // His name may be known a moment later.
    await expect.poll(() => hers!.innerText()).toContain('Ben deleted 6 of 7 items.')
    expect(await his!.innerText()).toContain('You deleted 6 of 7 items.')
    for (const { page } of devices) await expect.poll(() => treeRows(page)).toEqual(['Groceries'])
    await stage.shot(laptop, 'nearly everything gone')
    await stage.shot(reader, 'as a viewer')
    expect(await readers!.count()).toBe(0)
    await reader.page.getByTestId('space-switcher').click()
    await reader.page.getByTestId('create-space').waitFor()
    expect(await reader.page.getByTestId('recently-deleted').count()).toBe(0)
    await reader.page.keyboard.press('Escape')

    // Another notice does not replace it.
    await removeItem(laptop.page, 'Groceries')
    await laptop.page.getByTestId('notice').getByTestId('undo').click()
    await treeItem(laptop.page, { title: 'Groceries' }).waitFor()
    await hers!.getByTestId('undo-mass-deletion').click()
    for (const { page } of devices) await expect.poll(() => treeRows(page)).toEqual(before)
    for (const notice of notices) await notice.waitFor({ state: 'detached' })
    await stage.shot(laptop, 'all of it back')
    for (const { page } of devices) {
      await synced(page)
      await reload(page)
      await ready(page)
      await openFolders(page, 'Summer', 'Sea')
      await expect.poll(() => treeRows(page)).toEqual(before)
    }
  },
)

story('deleted items are listed later, on a phone too, and can be restored from the list', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  const spaceId = await spaceOf(laptop.page)
  await fillSpace(laptop.page)
  await openFolders(laptop.page, 'Summer', 'Sea')
  const before = await treeRows(laptop.page)
  await removeItem(laptop.page, 'Summer')
  const notice = laptop.page.getByTestId('mass-deletion')
  await notice.waitFor()
  await notice.getByLabel('Close').click()
  await notice.waitFor({ state: 'detached' })
  await removeItem(laptop.page, 'Groceries')
  await synced(laptop.page)
  await reload(laptop.page)
  await ready(laptop.page)
  expect(await treeRows(laptop.page)).toEqual([])
  await openList(laptop)
  const titles = laptop.page.getByTestId('deletion-titles')
  await expect.poll(() => titles.allInnerTexts()).toEqual(['“Summer” and “Groceries”'])
  expect(await laptop.page.getByTestId('deletion-details').innerText()).toContain('7 items in all · You · ')
  await stage.shot(laptop, 'the list')

  const phone = await stage.device("Anna's phone", {
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  })
  await openT69(phone.page, phone.url)
  await signIn(phone.page, anna)
  await openSpace(phone.page, spaceId)
  await synced(phone.page)
  await openList(phone)
  await phone.page.getByTestId('deletion').waitFor()
  await stage.shot(phone, 'the list')
  // A history that arrives for the first time deletes items that nobody here ever saw, and makes no notice.
  await phone.page.getByTestId('close-dialog').tap()
  await phone.page.getByTestId('deleted-dialog').waitFor({ state: 'detached' })
  expect(await phone.page.getByTestId('mass-deletion').count()).toBe(0)
  await openList(phone)
  await phone.page.getByTestId('restore-deletion').tap()
  await phone.page.getByTestId('deletion').waitFor({ state: 'detached' })
  await stage.shot(phone, 'restored')
  await phone.page.getByTestId('close-dialog').tap()
  await openFolders(phone.page, 'Summer', 'Sea')
  for (const { page } of [phone, laptop]) await expect.poll(() => treeRows(page)).toEqual(before)
  await laptop.page.getByTestId('close-dialog').click()

  await laptop.page.bringToFront()
  await removeItem(laptop.page, 'Summer')
  await phone.page.getByTestId('mass-deletion').waitFor()
  await stage.shot(phone, 'a notice in the drawer')
  await phone.page.getByTestId('close-sidebar').tap()
  await phone.page.getByTestId('mass-deletion').waitFor()
  await stage.shot(phone, 'a notice on the page')
  const width = () => phone.page.evaluate(() => document.documentElement.scrollWidth)
  expect(await width()).toBe(390)
  await phone.page.getByTestId('undo-mass-deletion').tap()
  await expect.poll(() => treeRows(laptop.page)).toEqual(before)
})

story('a chat that was named before its first message keeps its name once it is deleted', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'Soup')
  await newChat(page, 'Bread')
  await treeItem(page, { title: 'Soup' }).click()
  await treeItem(page, { title: 'Bread' }).click()
  await page.keyboard.press('Delete')
  await treeItem(page, { title: 'Bread' }).waitFor({ state: 'detached' })
  await page.goBack()
  await page.getByTestId('chat-deleted').waitFor()
  expect(await page.getByTestId('chat-title').inputValue()).toBe('Bread')
})

story(
  'an undo that would do nothing in the space that came to the screen is not offered there',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    await openT69(page, laptop.url)
    await newChat(page, 'Groceries')
    await removeItem(page, 'Groceries')
    await page.getByTestId('undo').waitFor()
    await newSpace(page, 'Club')
    expect(await page.getByTestId('undo').count()).toBe(0)
  },
)
