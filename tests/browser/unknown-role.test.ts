import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import type { Device } from '../lib/device.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  invite,
  message,
  messages,
  newChat,
  reload,
  say,
  showSidebar,
  treeItem,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

/** Reloads the page with a newer server, which says "newer-role" wherever this one says "viewer". */
async function meetNewerServer(page: Page): Promise<void> {
  const renamed = (text: string): string => text.replaceAll('"role":"viewer"', '"role":"newer-role"')
  await page.route('**/api/spaces**', async (route) => {
    const response = await route.fetch()
    await route.fulfill({ response, body: renamed(await response.text()) })
  })
  await page.routeWebSocket(/\/socket\.io\//, (socket) => {
    const server = socket.connectToServer()
    socket.onMessage((sent) => server.send(sent))
    server.onMessage((received) => socket.send(typeof received === 'string' ? renamed(received) : received))
  })
  await reload(page)
}

async function openShareDialog({ page }: Device): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('share').click()
  await page.getByTestId('member').nth(1).waitFor()
}

story('a member whose role this version does not know reads along and is offered no edit', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", accountOf('Anna'))
  await newChat(laptop.page, 'Notice board')
  await say(laptop.page, 'Water is off on Monday')
  const link = await invite(laptop.page, 'viewer')
  const other = await acceptInvite(stage, "Ben's laptop", accountOf('Ben'), link)
  const { page } = other
  await meetNewerServer(page)
  await page.locator('[data-testid=sync-status][data-phase=live]').waitFor()
  await treeItem(page, { title: 'Notice board' }).click()
  await expect.poll(() => messages(page)).toEqual(['Water is off on Monday'])
  await say(laptop.page, 'And on Tuesday')
  await message(page, 'And on Tuesday').waitFor()

  for (const control of ['composer', 'new-chat', 'new-folder'])
    expect(await page.getByTestId(control).isDisabled()).toBe(true)
  for (const control of ['tree-menu', 'edit-message', 'provider-hint'])
    expect(await page.getByTestId(control).count()).toBe(0)
  await page.getByTestId('space-switcher').click()
  await page.getByTestId('create-space').waitFor()
  for (const control of ['rename-space', 'delete-space', 'recently-deleted'])
    expect(await page.getByTestId(control).count()).toBe(0)
  await page.keyboard.press('Escape')

  await openShareDialog(other)
  const own = page.getByTestId('member').filter({ hasText: 'Ben' })
  expect(await own.getAttribute('data-role')).toBe('newer-role')
  expect(await own.innerText()).toContain('newer-role')
  for (const control of ['create-invite', 'member-role'])
    expect(await page.getByTestId(control).count()).toBe(0)
  await stage.shot(other, 'with a role that is not known here')
})

story('an owner sees a role that this version does not know, and can only replace it', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", accountOf('Anna'))
  await acceptInvite(stage, "Ben's laptop", accountOf('Ben'), await invite(laptop.page, 'viewer'))
  await meetNewerServer(laptop.page)
  await openShareDialog(laptop)
  const row = laptop.page.getByTestId('member').filter({ hasText: 'Ben' })
  const role = row.getByTestId('member-role')
  expect(await role.inputValue()).toBe('newer-role')
  expect(await role.locator('option').evaluateAll((all) => all.map((one) => one.textContent))).toEqual([
    'newer-role',
    'Owner',
    'Editor',
    'Viewer',
  ])
  expect(await role.locator('option[value=newer-role]').isDisabled()).toBe(true)
  await stage.shot(laptop, 'a role that is not known here')

  await role.selectOption('editor')
  await expect.poll(() => row.getAttribute('data-role')).toBe('editor')
  expect(await role.inputValue()).toBe('editor')
  expect(await role.locator('option').count()).toBe(3)
})
