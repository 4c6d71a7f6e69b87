import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  hideSidebar,
  messages,
  newChat,
  newFolder,
  newSpace,
  openT69,
  say,
  showSidebar,
  signUp,
  status,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'

const handheld = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
}
const chatOf = (page: Page) => page.getByTestId('app').getAttribute('data-chat-id')
const isDrawerOpen = (page: Page) => page.getByTestId('sidebar').getAttribute('data-open')

/** Goes back as somebody does who sees what is open: the tab's history has an entry for each layer by then. */
async function back(page: Page, layers: number): Promise<void> {
  await expect
    .poll(() => page.evaluate(() => (history.state as { layer?: number } | null)?.layer ?? 0))
    .toBe(layers)
  await page.goBack()
}

/** Moves a finger in a straight line, as fast as the browser takes it. */
async function swipe(
  page: Page,
  from: { x: number; y: number },
  to: { x: number; y: number },
): Promise<void> {
  const cdp = await page.context().newCDPSession(page)
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', touchPoints: { x: number; y: number }[]) =>
    cdp.send('Input.dispatchTouchEvent', { type, touchPoints })
  await touch('touchStart', [from])
  for (let step = 1; step <= 8; step++) {
    const part = step / 8
    await touch('touchMove', [{ x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part }])
  }
  await touch('touchEnd', [])
  await cdp.detach()
}

story('a phone is enough to write, organise, sign up and sync', async (stage) => {
  const phone = await stage.device("Ben's phone", handheld)
  await openT69(phone.page, phone.url)
  await stage.shot(phone, 'first look')
  await newChat(phone.page, 'Packing list')
  await say(phone.page, 'Passport')
  await say(
    phone.page,
    'A message that is long enough to need several lines on a screen as narrow as this one is',
  )
  await stage.shot(phone, 'in a chat')
  await newFolder(phone.page, 'Travel')
  await treeItem(phone.page, { title: 'Packing list' }).getByTestId('tree-menu').tap()
  await stage.shot(phone, 'the menu of a chat')
  await phone.page.getByTestId('menu-move').tap()
  await phone.page.getByTestId('move-target').filter({ hasText: 'Travel' }).tap()
  await expect.poll(() => treeRows(phone.page)).toContain('  Packing list')
  await signUp(phone.page, accountOf('Ben'))
  await enableSync(phone.page)
  await stage.shot(phone, 'synced')
  expect((await status(phone.page)).text).not.toBe('')
  await showSidebar(phone.page)
  await treeItem(phone.page, { title: 'Packing list' }).tap()
  await expect.poll(() => messages(phone.page)).toHaveLength(2)
  // Nothing is wider than the screen.
  const overflow = await phone.page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  expect(overflow).toBe(0)
})

story(
  'back closes what lies over the page, one at a time, and never moves the chat behind',
  async (stage) => {
    const phone = await stage.device("Ben's phone", handheld)
    const { page } = phone
    await openT69(page, phone.url)
    await newChat(page, 'First')
    await say(page, 'one')
    const first = await chatOf(page)
    await newChat(page, 'Second')
    await say(page, 'two')
    const second = await chatOf(page)

    // The drawer, a sheet over it, and a dialog in place of the sheet.
    await showSidebar(page)
    await page.getByTestId('space-switcher').tap()
    await page.getByTestId('space-item').waitFor()
    await stage.shot(phone, 'a menu over the drawer')
    await back(page, 2)
    await expect.poll(() => page.locator(':popover-open').count()).toBe(0)
    expect(await isDrawerOpen(page)).toBe('true')
    await page.getByTestId('space-switcher').tap()
    await page.getByTestId('rename-space').tap()
    await page.getByTestId('name-dialog').waitFor()
    await back(page, 2)
    await page.getByTestId('name-dialog').waitFor({ state: 'detached' })
    expect(await isDrawerOpen(page)).toBe('true')
    await back(page, 1)
    await expect.poll(() => isDrawerOpen(page)).toBe('false')
    expect(await chatOf(page)).toBe(second)

    // What is closed by its own button is no step back.
    await page.getByTestId('sync-status').tap()
    await page.getByTestId('close-dialog').tap()
    await page.getByTestId('sync-panel').waitFor({ state: 'detached' })
    await showSidebar(page)
    await page.getByTestId('close-sidebar').tap()
    await expect.poll(() => isDrawerOpen(page)).toBe('false')
    await page.getByTestId('sync-status').tap()
    await page.getByTestId('sync-panel').waitFor()
    await back(page, 1)
    await page.getByTestId('sync-panel').waitFor({ state: 'detached' })
    expect(await chatOf(page)).toBe(second)
    await back(page, 0)
    await expect.poll(() => chatOf(page)).toBe(first)

    // A chat that is chosen in the drawer takes the drawer's place in the history.
    await showSidebar(page)
    await treeItem(page, { title: 'Second' }).tap()
    await expect.poll(() => chatOf(page)).toBe(second)
    await back(page, 0)
    await expect.poll(() => chatOf(page)).toBe(first)
    expect(await isDrawerOpen(page)).toBe('false')
    await page.goForward()
    await expect.poll(() => chatOf(page)).toBe(second)

    // Another space is opened behind the drawer: closing the drawer does not bring the first one back.
    await newSpace(page, 'Away')
    await back(page, 1)
    await expect.poll(() => isDrawerOpen(page)).toBe('false')
    expect(await page.getByTestId('space-name').textContent()).toBe('Away')
  },
)

story(
  'a finger pulls the drawer out and pushes it back, and scrolls where it moves up and down',
  async (stage) => {
    const phone = await stage.device("Ben's phone", handheld)
    const { page } = phone
    await openT69(page, phone.url)
    await newChat(page, 'First')
    await swipe(page, { x: 60, y: 400 }, { x: 300, y: 420 })
    await expect.poll(() => isDrawerOpen(page)).toBe('true')
    await swipe(page, { x: 300, y: 500 }, { x: 40, y: 480 })
    await expect.poll(() => isDrawerOpen(page)).toBe('false')
    await page.getByTestId('sidebar').waitFor({ state: 'hidden' })

    for (const [from, to] of [
      [
        { x: 100, y: 300 },
        { x: 140, y: 600 },
      ],
      [
        { x: 300, y: 300 },
        { x: 40, y: 300 },
      ],
      [
        { x: 4, y: 300 },
        { x: 300, y: 300 },
      ],
    ] as const) {
      await swipe(page, from, to)
      expect(await isDrawerOpen(page)).toBe('false')
    }
    const box = (await page.getByTestId('composer').boundingBox()) ?? { x: 0, y: 0, height: 0 }
    const y = box.y + box.height / 2
    await swipe(page, { x: box.x + 20, y }, { x: box.x + 250, y })
    expect(await isDrawerOpen(page)).toBe('false')
  },
)

story('on glass, Enter makes a line, and the keyboard stays when a message is sent', async (stage) => {
  const phone = await stage.device("Ben's phone", handheld)
  const { page } = phone
  await openT69(page, phone.url)
  await newChat(page, 'Lines')
  await hideSidebar(page)
  const composer = page.getByTestId('composer')
  await composer.tap()
  await page.keyboard.type('one')
  await page.keyboard.press('Enter')
  await page.keyboard.type('two')
  expect(await composer.inputValue()).toBe('one\ntwo')
  // A keyboard that goes, even for a moment, goes with the focus.
  await composer.evaluate((area) => {
    area.addEventListener('blur', () => (document.documentElement.dataset['blurred'] = 'yes'))
  })
  await page.getByTestId('send').tap()
  await expect.poll(() => messages(page)).toEqual(['one\ntwo'])
  expect(await composer.evaluate((area) => area === document.activeElement)).toBe(true)
  expect(await page.evaluate(() => document.documentElement.dataset['blurred'])).toBeUndefined()
  // Who has keys beside the glass sends with them.
  await page.keyboard.type('three')
  await page.keyboard.press('Control+Enter')
  await expect.poll(() => messages(page)).toEqual(['one\ntwo', 'three'])
  // A message that is edited is written in the same way.
  await page.getByTestId('edit-message').last().tap()
  const editor = page.getByTestId('edit-input')
  await editor.press('Control+End')
  await editor.press('Enter')
  await page.keyboard.type('four')
  expect(await editor.inputValue()).toBe('three\nfour')
  expect(await editor.getAttribute('enterkeyhint')).toBe('enter')
  await page.getByTestId('edit-save').tap()
  await expect.poll(() => messages(page)).toEqual(['one\ntwo', 'three\nfour'])
})

story('a keyboard that lies over the page covers nothing that is written in', async (stage) => {
  const phone = await stage.device("Ben's phone", handheld)
  const { page } = phone
  // As in Safari: the page stays as high as it is, and only `visualViewport` tells of the keyboard.
  await page.addInitScript(() => {
    let covered = 0
    const height = Object.getOwnPropertyDescriptor(VisualViewport.prototype, 'height')
    Object.defineProperty(VisualViewport.prototype, 'height', {
      get(this: VisualViewport) {
        return Number(height?.get?.call(this)) - covered
      },
    })
    Object.assign(globalThis, {
      cover(pixels: number) {
        covered = pixels
        visualViewport?.dispatchEvent(new Event('resize'))
      },
    })
  })
  const cover = (pixels: number) => page.evaluate(`cover(${pixels})`)
  const bottomOf = async (testid: string): Promise<number> => {
    const box = await page.getByTestId(testid).boundingBox()
    return (box?.y ?? Number.NaN) + (box?.height ?? Number.NaN)
  }
  await openT69(page, phone.url)
  await newChat(page, 'Plans')
  const before = await bottomOf('composer')
  expect(before).toBeGreaterThan(700)
  await page.getByTestId('composer').click()
  await cover(340)
  await expect.poll(() => bottomOf('composer')).toBeLessThanOrEqual(504)
  await stage.shot(phone, 'keyboard')
  await showSidebar(page)
  await page.getByTestId('sign-up').click()
  await expect.poll(() => bottomOf('auth-dialog')).toBeLessThanOrEqual(504)
  await stage.shot(phone, 'keyboard under a dialog')
  await page.getByTestId('close-dialog').click()
  await hideSidebar(page)
  await cover(0)
  await expect.poll(() => bottomOf('composer')).toBe(before)
})
