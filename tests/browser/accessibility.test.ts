import type { BrowserContextOptions } from 'playwright-core'
import { expect } from 'vitest'

import { violationsOn } from '../lib/axe.ts'
import { startFakeProvider } from '../lib/fake-provider.ts'
import { passwordLink } from '../lib/operator.ts'
import { settled } from '../lib/settled.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  hideSidebar,
  message,
  newChat,
  newFolder,
  openT69,
  say,
  setUpProvider,
  showSidebar,
  signUp,
  treeItem,
} from '../lib/t69-page.ts'

const openDialogOf: Readonly<Record<string, readonly string[]>> = {
  'New space': ['space-switcher', 'create-space'],
  'Rename the space': ['space-switcher', 'rename-space'],
  'Delete the space': ['space-switcher', 'delete-space'],
  'Recently deleted': ['space-switcher', 'recently-deleted'],
  Import: ['space-switcher', 'import'],
  Export: ['space-switcher', 'export'],
  Settings: ['settings'],
  'Sync status': ['sync-status'],
}

const looks: readonly (readonly [string, BrowserContextOptions])[] = [
  ['in the light, wide', { colorScheme: 'light' }],
  ['in the dark, on a phone', { colorScheme: 'dark', viewport: { width: 390, height: 844 }, hasTouch: true }],
]

for (const [look, context] of looks) {
  story(`axe finds nothing wrong in any state of the app, ${look}`, async (stage) => {
    using provider = await startFakeProvider()
    const device = await stage.device("Anna's device", context)
    const { page } = device
    const found: Record<string, string[]> = {}
    let states = 0
    let lastState = ''
    async function check(state: string): Promise<void> {
      states++
      lastState = state
      const violations = await violationsOn(page)
      if (violations.length > 0) found[state] = violations
    }
    const inHeader = new Set(['sync-status', 'share'])
    const press = async (testId: string): Promise<void> => {
      if (inHeader.has(testId)) await hideSidebar(page)
      else if (!(await page.getByTestId(testId).first().isVisible())) await showSidebar(page)
      await page.getByTestId(testId).first().click()
    }
    const leave = async (): Promise<void> => {
      await page.getByTestId('close-dialog').click()
      await page.locator('dialog').waitFor({ state: 'detached' })
      const focused = () => page.evaluate(() => document.activeElement?.localName)
      await expect.poll(focused, { message: `the focus after ${lastState}` }).not.toBe('body')
    }

    await openT69(page, device.url)
    await check('a first visit')
    await press('sign-in')
    await page.getByTestId('auth-dialog').waitFor()
    await check('sign in')
    await page.getByTestId('auth-switch').click()
    await check('sign up')
    await leave()
    await newFolder(page, 'Kitchen')
    await newChat(page, 'Bread')
    await check('an empty chat')
    for (const text of ['How long?', 'A message with a `word` of code', 'خبز']) await say(page, text)
    await check('a chat with messages')
    await page.getByTestId('composer').fill('Half a message')
    await check('writing')
    if (context.hasTouch !== true) {
      await page.keyboard.press('Control+Backslash')
      await page.getByTestId('empty-pane').waitFor()
      await check('an empty side')
      await newChat(page, 'Rolls')
      await page.getByTestId('tab-menu').last().click()
      await check('the menu of a tab, with two chats side by side')
      await page.getByTestId('menu-close-tab').click()
      await page.locator('[data-testid=panes][data-count="1"]').waitFor()
    }
    await showSidebar(page)
    await check('the sidebar')
    await press('space-switcher')
    await page.getByTestId('create-space').waitFor()
    await check('the menu of spaces')
    await page.keyboard.press('Escape')
    await treeItem(page, { title: 'Bread' }).hover()
    await treeItem(page, { title: 'Bread' }).getByTestId('tree-menu').click()
    await page.getByTestId('menu-rename').waitFor()
    await check('the menu of a chat')
    await page.getByTestId('menu-move').click()
    await page.getByTestId('move-dialog').waitFor()
    await check('moving')
    await leave()
    await treeItem(page, { title: 'Bread' }).getByTestId('tree-menu').click()
    await page.getByTestId('menu-copy').click()
    await page.getByTestId('copy-chat-dialog').waitFor()
    await check('copying a chat')
    await leave()
    for (const [name, path] of Object.entries(openDialogOf)) {
      for (const testId of path) await press(testId)
      await page.locator('dialog[open]').waitFor()
      await check(name)
      await leave()
    }
    await press('space-switcher')
    await press('import')
    const wrong = { name: 'wrong.json', mimeType: 'application/json', buffer: Buffer.from('{') }
    await page.getByTestId('import-file').setInputFiles(wrong)
    await page.getByTestId('import-problem').waitFor()
    await check('an import that failed')
    await leave()
    await hideSidebar(page)
    await message(page, 'How long?').hover()
    await message(page, 'How long?').getByTestId('edit-message').click()
    await page.getByTestId('edit-input').waitFor()
    await check('editing a message')
    await page.getByTestId('edit-cancel').click()

    await showSidebar(page)
    await setUpProvider(page, { name: 'Home', model: 'small', key: 'k', baseUrl: provider.baseUrl })
    await check('a provider in the settings')
    await leave()
    await signUp(page, accountOf('Anna'))
    await hideSidebar(page)
    await check('the question whether to sync')
    await enableSync(page)
    await check('a synced space')
    await press('account')
    await page.getByTestId('sign-out').waitFor()
    await check('the menu of the account')
    await page.getByTestId('change-password').click()
    await page.getByTestId('password-dialog').waitFor()
    await check('changing the password')
    await leave()
    await press('account')
    await page.getByTestId('devices').click()
    await page.getByTestId('device').waitFor()
    await check('the devices')
    await leave()
    const token = await passwordLink(stage.server.dataDir, accountOf('Anna').email)
    // What was closed leaves the history first.
    await settled(() => page.evaluate((): unknown => history.state))
    await page.evaluate((hash) => void (location.hash = hash), `set-password=${token}`)
    await page.getByTestId('password-of').waitFor()
    await check('a link to set a password')
    await page.getByTestId('cancel').click()
    await page.locator('dialog').waitFor({ state: 'detached' })
    await press('share')
    await page.getByTestId('create-invite').click()
    await page.getByTestId('invite-link').waitFor()
    await check('sharing')
    await leave()
    await showSidebar(page)
    await treeItem(page, { title: 'Kitchen' }).hover()
    await treeItem(page, { title: 'Kitchen' }).getByTestId('tree-menu').click()
    await page.getByTestId('menu-delete').click()
    await page.getByTestId('undo').waitFor()
    await check('a notice')
    expect(found).toEqual({})
    expect(states).toBeGreaterThanOrEqual(28)
  })
}
