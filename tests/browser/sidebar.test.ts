import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  invite,
  message,
  newChat,
  newFolder,
  openT69,
  ready,
  reload,
  say,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

/** The sidebar's headings, in brackets, and the titles under them. */
async function lines(page: Page): Promise<string[]> {
  return await page.locator('[data-testid=tree-group], [data-testid=tree-item]').evaluateAll((all) =>
    all
      .map((line) => ({ top: (line as HTMLElement).offsetTop, line }))
      .toSorted((a, b) => a.top - b.top)
      .map(({ line }) => {
        const title = line.querySelector('[data-testid=tree-title]')?.textContent
        return title ?? `[${line.textContent?.trim()}]`
      }),
  )
}

async function choose(page: Page, title: string, entry: string): Promise<void> {
  await treeItem(page, { title }).hover()
  await treeItem(page, { title }).getByTestId('tree-menu').click()
  await page.getByTestId(entry).click()
}

story(
  'the sidebar has the last active chat first, what is pinned above it, and no empty chat',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    await page.clock.install({ time: new Date('2026-05-10T12:00:00') })
    await openT69(page, laptop.url)
    await page.getByTestId('new-chat').click()
    await page.getByTestId('chat-title').waitFor()
    expect(await lines(page)).toEqual([])
    await newChat(page, 'Garden')
    await say(page, 'When do I sow?')
    // What was begun in an empty chat is there in the next one.
    await page.getByTestId('new-chat').click()
    await page.getByTestId('composer').fill('Which bread?')
    await treeItem(page, { title: 'Garden' }).click()
    await message(page, 'When do I sow?').waitFor()
    expect(await page.getByTestId('composer').inputValue()).toBe('')
    await page.getByTestId('new-chat').click()
    await expect.poll(() => page.getByTestId('composer').inputValue()).toBe('Which bread?')
    await page.getByTestId('composer').press('Enter')
    await message(page, 'Which bread?').waitFor()
    await expect.poll(() => page.getByTestId('composer').inputValue()).toBe('')
    await expect.poll(() => lines(page)).toEqual(['[Today]', 'Which bread?', 'Garden'])

    await page.clock.setFixedTime(new Date('2026-05-11T09:00:00'))
    await reload(page)
    await ready(page)
    await expect.poll(() => lines(page)).toEqual(['[Yesterday]', 'Which bread?', 'Garden'])
    await treeItem(page, { title: 'Garden' }).click()
    await say(page, 'And when do I water?')
    await expect.poll(() => lines(page)).toEqual(['[Today]', 'Garden', '[Yesterday]', 'Which bread?'])

    await newFolder(page, 'Kitchen')
    await choose(page, 'Which bread?', 'menu-pin')
    const pinned = ['[Pinned]', 'Which bread?', '[Folders]', 'Kitchen', '[Today]', 'Garden']
    await expect.poll(() => lines(page)).toEqual(pinned)
    await stage.shot(laptop, 'groups')
    await reload(page)
    await ready(page)
    await expect.poll(() => lines(page)).toEqual(pinned)
    await choose(page, 'Which bread?', 'menu-pin')
    await expect
      .poll(() => lines(page))
      .toEqual(['[Folders]', 'Kitchen', '[Today]', 'Garden', '[Yesterday]', 'Which bread?'])
  },
)

story(
  'one person pins a chat in a closed folder and writes in another, and the other sees both',
  async (stage) => {
    const annas = await openOwnSpace(stage, "Anna's laptop", accountOf('Anna'))
    await newChat(annas.page, 'Plans')
    await newChat(annas.page, 'News')
    await newFolder(annas.page, 'Trip')
    await newChat(annas.page, 'Trains')
    await synced(annas.page)
    const bens = await acceptInvite(
      stage,
      "Ben's laptop",
      accountOf('Ben'),
      await invite(annas.page, 'editor'),
    )
    // The folder is open, with the newest chat.
    await treeItem(bens.page, { title: 'Trains' }).waitFor()
    await treeItem(bens.page, { title: 'Trip' }).getByTestId('tree-toggle').click()
    await expect.poll(() => lines(bens.page)).toEqual(['[Folders]', 'Trip', '[Today]', 'News', 'Plans'])
    await choose(annas.page, 'Trains', 'menu-pin')
    await expect
      .poll(() => lines(bens.page))
      .toEqual(['[Pinned]', 'Trains', '[Folders]', 'Trip', '[Today]', 'News', 'Plans'])
  },
)

story('a chat in the sidebar is a link, which opens in a tab of the browser', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  for (const title of ['One', 'Two']) {
    await newChat(page, title)
    await say(page, `About ${title}`)
  }
  const link = treeItem(page, { title: 'One' }).locator('a')
  // What the browser then opens, it does not always tell whoever drives it in time. So: it may, and this is what it opens.
  const left = page.evaluate(async () => {
    const { promise, resolve } = Promise.withResolvers<Event>()
    addEventListener('auxclick', resolve, { once: true })
    const { defaultPrevented, target } = await promise
    return { defaultPrevented, href: target instanceof Element && target.closest('a')?.href }
  })
  await link.click({ button: 'middle' })
  const { defaultPrevented, href } = await left
  expect(defaultPrevented).toBe(false)
  const tab = await page.context().newPage()
  await tab.goto(String(href))
  await ready(tab)
  await message(tab, 'About One').waitFor()
  expect(await page.getByTestId('chat-title').inputValue()).toBe('Two')
  await link.click()
  await message(page, 'About One').waitFor()
})

story('the sidebar is closed, opened and made wider, and stays so on this device', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  const sidebar = page.getByTestId('sidebar')
  const width = async () => Math.round((await sidebar.boundingBox())?.width ?? 0)
  const edge = page.getByTestId('sidebar-edge')
  expect(await width()).toBe(280)
  await edge.focus()
  await page.keyboard.press('ArrowRight')
  expect(await width()).toBe(296)
  const at = await edge.boundingBox()
  if (at === null) throw new Error('The edge is not on screen')
  await page.mouse.move(at.x + 4, 300)
  await page.mouse.down()
  await page.mouse.move(400, 300, { steps: 4 })
  await page.mouse.up()
  expect(Math.abs((await width()) - 400)).toBeLessThan(3)
  const dragged = await width()

  await page.getByTestId('collapse-sidebar').click()
  await sidebar.waitFor({ state: 'hidden' })
  await expect
    .poll(() => page.evaluate(() => document.activeElement?.getAttribute('data-testid')))
    .toBe('open-sidebar')
  await stage.shot(laptop, 'closed')
  await page.reload()
  await ready(page)
  expect(await sidebar.isVisible()).toBe(false)
  await page.keyboard.press('Control+b')
  await sidebar.waitFor()
  expect(await width()).toBe(dragged)
  await page.keyboard.press('Control+b')
  await page.getByTestId('open-sidebar').click()
  await sidebar.waitFor()
})

story('several items are moved and deleted together, and one undo brings all of them back', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  for (const title of ['One', 'Two', 'Three', 'Four']) {
    await newChat(page, title)
    await say(page, `About ${title}`)
  }
  await newFolder(page, 'Trip')
  const before = ['[Folders]', 'Trip', '[Today]', 'Four', 'Three', 'Two', 'One']
  await expect.poll(() => lines(page)).toEqual(before)

  // By the menu, and by presses from then on.
  await choose(page, 'One', 'menu-select')
  await treeItem(page, { title: 'Three' }).click()
  const bar = page.getByTestId('selection-bar')
  expect(await bar.getAttribute('data-count')).toBe('2')
  expect(await page.getByTestId('chat-title').inputValue()).toBe('Four')
  await stage.shot(laptop, 'two are selected')
  await page.getByTestId('selection-move').click()
  await page.getByTestId('move-target').filter({ hasText: 'Trip' }).click()
  await expect
    .poll(() => lines(page))
    .toEqual(['[Folders]', 'Trip', 'Three', 'One', '[Today]', 'Four', 'Two'])
  await bar.waitFor({ state: 'detached' })
  await page.getByTestId('notice').getByTestId('undo').click()
  await expect.poll(() => lines(page)).toEqual(before)

  // By Shift and a press, from the open chat on; the tabs of what is deleted close as well.
  await treeItem(page, { title: 'Four' }).click()
  await treeItem(page, { title: 'Two' }).click({ modifiers: ['Shift'] })
  expect(await bar.getAttribute('data-count')).toBe('3')
  await page.getByTestId('selection-delete').click()
  await expect.poll(() => lines(page)).toEqual(['[Folders]', 'Trip', '[Today]', 'One'])
  await page.getByTestId('undo').or(page.getByTestId('undo-mass-deletion')).first().click()
  await expect.poll(() => lines(page)).toEqual(before)

  // By the keyboard alone.
  await page.getByTestId('tree').focus()
  await page.keyboard.press('End')
  await page.keyboard.press('Shift+ArrowUp')
  expect(await bar.getAttribute('data-count')).toBe('2')
  await page.keyboard.press('Escape')
  await bar.waitFor({ state: 'detached' })
  await page.keyboard.press('End')
  await page.keyboard.press('Control+Space')
  await page.keyboard.press('Home')
  await page.keyboard.press('Control+Space')
  expect(await bar.getAttribute('data-count')).toBe('2')
  await page.keyboard.press('Delete')
  await expect.poll(() => lines(page)).toEqual(['[Today]', 'Four', 'Three', 'Two'])
})
