import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import { accountOf, messages, openT69, synced, treeItem, treeRows } from '../lib/t69-page.ts'

/** Presses Tab until the element with the test id has the focus. Throws if Tab never reaches it. */
async function tabTo(page: Page, testId: string): Promise<void> {
  const reached: string[] = []
  for (let presses = 0; presses < 80; presses++) {
    const focused = await page.evaluate(() => document.activeElement?.getAttribute('data-testid') ?? '')
    if (focused === testId) return
    reached.push(focused)
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab never reaches ${testId}; it reached ${reached.join(', ')}`)
}

story('the keyboard alone is enough to write, organise, sign up and sync', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await tabTo(page, 'new-chat')
  await page.keyboard.press('Enter')
  await tabTo(page, 'composer')
  await page.keyboard.type('Written without a mouse')
  await page.keyboard.press('Shift+Enter')
  await page.keyboard.type('on two lines')
  await page.keyboard.press('Enter')
  await expect.poll(() => messages(page)).toEqual(['Written without a mouse\non two lines'])

  await tabTo(page, 'tree')
  await page.keyboard.press('F2')
  await page.getByTestId('tree-rename').waitFor()
  await page.keyboard.press('Control+A')
  await page.keyboard.type('By keyboard')
  await page.keyboard.press('Enter')
  await treeItem(page, { title: 'By keyboard' }).waitFor()

  await tabTo(page, 'new-folder')
  await page.keyboard.press('Enter')
  await page.getByTestId('tree-rename').waitFor()
  await page.keyboard.press('Control+A')
  await page.keyboard.type('Folder')
  await page.keyboard.press('Enter')
  await treeItem(page, { title: 'Folder' }).waitFor()

  // Cut the chat, paste it into the folder.
  await tabTo(page, 'tree')
  await selectByArrows(page, 'By keyboard')
  await page.keyboard.press('Control+X')
  await selectByArrows(page, 'Folder')
  await page.keyboard.press('Control+V')
  await page.keyboard.press('ArrowRight')
  await expect.poll(() => treeRows(page)).toContain('  By keyboard')
  await stage.shot(laptop, 'moved by cut and paste')

  await tabTo(page, 'sign-up')
  await page.keyboard.press('Enter')
  await page.getByTestId('auth-dialog').waitFor()
  const anna = accountOf('Anna')
  for (const [field, text] of [
    ['auth-name', anna.name],
    ['auth-email', anna.email],
    ['auth-password', anna.password],
  ] as const) {
    await tabTo(page, field)
    await page.keyboard.type(text)
  }
  await page.keyboard.press('Enter')
  await page.getByTestId('auth-dialog').waitFor({ state: 'hidden' })
  await tabTo(page, 'enable-sync')
  await page.keyboard.press('Enter')
  await synced(page)
  await stage.shot(laptop, 'synced by keyboard')
})

/** Presses Home, then the down arrow until the row with the title is selected. */
async function selectByArrows(page: Page, title: string): Promise<void> {
  await page.keyboard.press('Home')
  for (let presses = 0; presses < 50; presses++) {
    if ((await treeItem(page, { title, selected: true }).count()) > 0) return
    await page.keyboard.press('ArrowDown')
  }
  throw new Error(`the arrows never reach ${title}`)
}
