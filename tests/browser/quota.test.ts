import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  message,
  newChat,
  openSpace,
  openT69,
  say,
  signIn,
  spaceOf,
  status,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')
const operations = 120

story(
  'a full space still accepts deletes, and takes refused edits once there is room',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    const { page } = laptop
    await newChat(page, 'Old')
    await newChat(page, 'Diary')
    await synced(page)
    const spaceId = await spaceOf(page)
    for (let day = 1; day <= 20; day++) await say(page, `Day ${day}`)
    await page.locator('[data-testid=sync-status]').filter({ hasText: 'refused' }).waitFor()
    await page.getByTestId('sync-status').click()
    const panel = page.getByTestId('sync-panel')
    await panel.getByText('Deleting things in this space makes no room').waitFor()
    await stage.shot(laptop, 'the space is full')
    await page.keyboard.press('Escape')

    // Another browser sees what fitted, and sees the deletion.
    const desktop = await stage.device("Anna's desktop")
    await openT69(desktop.page, desktop.url)
    await signIn(desktop.page, anna)
    await openSpace(desktop.page, spaceId)
    await treeItem(desktop.page, { title: 'Old' }).waitFor()
    const old = treeItem(page, { title: 'Old' })
    await old.hover()
    await old.getByTestId('tree-menu').click()
    await page.getByTestId('menu-delete').click()
    await treeItem(desktop.page, { title: 'Old' }).waitFor({ state: 'detached' })
    expect((await status(desktop.page)).head).toBeGreaterThanOrEqual(operations)

    for (const device of [laptop, desktop]) device.expectLostConnections()
    await stage.server.stop()
    await stage.server.start({ SPACE_QUOTA_OPERATIONS: '5000' })
    await synced(page)
    await page.getByTestId('sync-status').click()
    await panel.getByTestId('retry-rejected').click()
    await page.keyboard.press('Escape')
    await treeItem(desktop.page, { title: 'Diary' }).click()
    await message(desktop.page, 'Day 20').waitFor()
    await synced(page)
    await expect.poll(async () => (await status(page)).text).toBe('Synced')
  },
  { env: { SPACE_QUOTA_OPERATIONS: `${operations}` } },
)
