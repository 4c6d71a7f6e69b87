import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { startFakeProvider } from '../lib/fake-provider.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  message,
  messages,
  newChat,
  newFolder,
  openT69,
  ready,
  synced,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'

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

story('on a keyboard of other letters, those with Ctrl are the Latin ones in their place', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  const devtools = await laptop.context.newCDPSession(page)
  /** With Ctrl. Playwright's own keyboard has no such letters. */
  async function press(key: string, code: string): Promise<void> {
    const windowsVirtualKeyCode = code.charCodeAt(3)
    for (const type of ['rawKeyDown', 'keyUp'] as const)
      await devtools.send('Input.dispatchKeyEvent', { type, key, code, windowsVirtualKeyCode, modifiers: 2 })
  }
  await newChat(page, 'Recipes')
  await newFolder(page, 'Kitchen')

  await press('л', 'KeyK')
  await page.getByTestId('palette').waitFor()
  await page.keyboard.press('Escape')
  await page.getByTestId('palette').waitFor({ state: 'detached' })
  await press('и', 'KeyB')
  await page.getByTestId('tree').waitFor({ state: 'hidden' })
  await press('и', 'KeyB')
  await page.getByTestId('tree').focus()

  await selectByArrows(page, 'Recipes')
  await press('ч', 'KeyX')
  await selectByArrows(page, 'Kitchen')
  await press('м', 'KeyV')
  await page.keyboard.press('ArrowRight')
  await expect.poll(() => treeRows(page)).toContain('  Recipes')
  await press('я', 'KeyZ')
  await expect.poll(() => treeRows(page)).toContain('Recipes')
  await page.getByTestId('tree').focus()
  await press('ф', 'KeyA')
  await page.getByTestId('selection-bar').waitFor()
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

/** What has the focus: its test id, or its role or tag. Throws if that is nothing, or nothing that can be seen. */
async function focusOn(page: Page, after: string): Promise<string> {
  const where = await page.evaluate(() => {
    const element = document.activeElement
    if (element === null || element === document.body) return ''
    const isSeen = element.checkVisibility({ visibilityProperty: true })
    const name = element.getAttribute('data-testid') ?? element.getAttribute('role') ?? element.tagName
    return isSeen ? name : ''
  })
  if (where === '') throw new Error(`the focus is lost after: ${after}`)
  return where
}

story('the focus is on something that can be seen after each step of a walk by keyboard', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  const walked: Record<string, string> = {}
  /** Waits for what the step causes, and then for the next frame. */
  async function step(what: string, caused: () => Promise<unknown>): Promise<void> {
    await caused()
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))))
    walked[what] = await focusOn(page, what)
  }
  const gone = (testId: string) => page.getByTestId(testId).waitFor({ state: 'detached' })
  const press = (key: string) => page.keyboard.press(key)
  async function enter(testId: string, text?: string): Promise<void> {
    await tabTo(page, testId)
    if (text === undefined) await press('Enter')
    else {
      await press('Control+A')
      await page.keyboard.type(text)
    }
  }
  /** The button of a menu, then the entry, by arrows. */
  async function choose(entry: string): Promise<void> {
    await page.getByTestId(entry).waitFor()
    for (let presses = 0; presses < 20; presses++) {
      if ((await focusOn(page, `the menu with ${entry}`)) === entry) break
      await press('ArrowDown')
    }
    await press('Enter')
  }
  const reply = page.locator('[data-testid=message][data-role=assistant]')
  const done = () => reply.and(page.locator('[data-outcome=done]')).last().waitFor()
  let asked = 0
  /** Streams to the next question: not to one that was stopped, which the endpoint may not know yet. */
  async function answer(text: string): Promise<void> {
    asked++
    const questions = () =>
      provider.requests.filter((request) => request.messages.at(-1)?.content.startsWith('How long'))
    await expect.poll(() => questions().length).toBe(asked)
    await provider.stream(text)
  }

  await openT69(page, laptop.url)
  await step('a first visit', () => ready(page))
  await enter('settings')
  await page.getByTestId('settings-dialog').waitFor()
  await enter('provider-name', 'Home')
  await enter('provider-base-url', provider.baseUrl)
  await enter('provider-key', 'k')
  await enter('provider-model', 'small')
  await enter('provider-save')
  await step('saving a provider', () => page.getByTestId('provider').first().waitFor())
  await press('Escape')
  await step('leaving the settings', () => gone('settings-dialog'))

  await enter('composer', 'How long?')
  await press('Enter')
  await answer('Four')
  await step('a reply begins', () => reply.waitFor())
  await enter('stop-reply')
  await step('stopping the reply', () => gone('stop-reply'))
  await enter('reply-again')
  await step('asking again', () => gone('reply-again'))
  await answer('Four hours.')
  provider.finish()
  await step('the reply is there', done)
  await enter('regenerate')
  await step('another version', () => page.locator('[data-testid=message][data-streaming=true]').waitFor())
  await answer('Five hours.')
  provider.finish()
  await reply.filter({ hasText: 'Five hours.' }).and(page.locator('[data-outcome=done]')).waitFor()
  await enter('branch-previous')
  await step('the version before', () => message(page, 'Four hours.').waitFor())
  await enter('edit-message')
  await page.getByTestId('edit-input').waitFor()
  await press('Escape')
  await step('leaving an edit', () => gone('edit-input'))
  await enter('edit-message')
  await enter('edit-input', 'How long, really?')
  await press('Enter')
  await step('an edit', () => message(page, 'How long, really?').waitFor())
  await answer('Six hours.')
  provider.finish()
  await reply.filter({ hasText: 'Six hours.' }).and(page.locator('[data-outcome=done]')).waitFor()
  await enter('delete-message')
  await step('deleting a message', () => page.getByTestId('undo').waitFor())
  await enter('undo')
  await step('taking that back', () => gone('undo'))

  await press('Control+K')
  await page.getByTestId('palette-input').waitFor()
  await page.keyboard.type('hours')
  await page.locator('[data-testid=palette-item][data-kind=message]').first().waitFor()
  await press('Escape')
  await step('leaving the search', () => gone('palette'))

  await tabTo(page, 'tree')
  await press('F2')
  await page.getByTestId('tree-rename').waitFor()
  await press('Escape')
  await step('leaving a rename', () => gone('tree-rename'))
  await press('Shift+F10')
  await choose('menu-move')
  await page.getByTestId('move-dialog').waitFor()
  await press('Escape')
  await step('leaving the choice of a folder', () => gone('move-dialog'))

  await enter('sign-up')
  await page.getByTestId('auth-dialog').waitFor()
  const anna = accountOf('Anna')
  await enter('auth-name', anna.name)
  await enter('auth-email', anna.email)
  await enter('auth-password', anna.password)
  await press('Enter')
  await step('signing up', () => gone('auth-dialog'))
  await enter('enable-sync')
  await step('syncing', () => synced(page))
  await enter('share')
  await page.getByTestId('share-dialog').waitFor()
  await enter('create-invite')
  await step('a link', () => page.getByTestId('invite-link').waitFor())
  // The button is disabled for as long as a double click could last.
  await expect.poll(() => page.getByTestId('withdraw-invite').isEnabled()).toBe(true)
  await enter('withdraw-invite')
  await step('withdrawing it', () => gone('withdraw-invite'))
  await press('Escape')
  await step('leaving the people', () => gone('share-dialog'))

  await tabTo(page, 'tree')
  await press('Delete')
  await step('deleting the chat', () => page.getByTestId('undo').waitFor())
  await enter('account')
  await choose('sign-out')
  await page.getByTestId('sign-out-dialog').waitFor()
  await enter('confirm')
  await step('signing out', async () => {
    await gone('sign-out-dialog')
    await page.getByTestId('sign-in').waitFor()
    await ready(page)
  })
  // Where the focus went instead of nowhere.
  expect(walked['stopping the reply']).toBe('composer')
  expect(walked['leaving an edit']).toBe('message')
  expect(walked['deleting a message']).toBe('message')
})
