import type { Locator, Page } from 'playwright-core'
import { expect } from 'vitest'

import { startFakeProvider } from '../lib/fake-provider.ts'
import { story } from '../lib/story.ts'
import { message, newChat, openT69, ready, reload, say, setUpProvider, treeItem } from '../lib/t69-page.ts'

const wide = { viewport: { width: 1440, height: 900 } }

async function fillSpace(page: Page, ...titles: string[]): Promise<void> {
  for (const title of titles) {
    await newChat(page, title)
    await say(page, `About ${title}`)
  }
}

const pane = (page: Page, title: string): Locator => page.locator(`[data-testid=pane][aria-label="${title}"]`)
const said = (where: Locator, text: string): Locator => where.getByTestId('message').filter({ hasText: text })
const focused = (page: Page): Locator => page.locator('[data-testid=pane][data-focused=true]')
const title = (page: Page): Promise<string> => page.getByTestId('chat-title').inputValue()

/** The panes in their order: the chat, and where it begins, from the left and from the top, in % of the area that they share. */
async function panes(page: Page): Promise<string[]> {
  return await page.getByTestId('pane').evaluateAll((all) =>
    all.map((each) => {
      const { left, top } = each.getBoundingClientRect()
      const area = each.parentElement!.getBoundingClientRect()
      const places = [(left - area.left) / area.width, (top - area.top) / area.height]
      return [each.getAttribute('aria-label'), ...places.map((part) => Math.round(part * 100))].join(' ')
    }),
  )
}

async function dragTo(page: Page, from: Locator, to: { x: number; y: number }): Promise<void> {
  const box = (await from.boundingBox())!
  await page.mouse.move(box.x + 20, box.y + 12)
  await page.mouse.down()
  await page.mouse.move(to.x, to.y, { steps: 6 })
}

story('two chats are side by side, and everything goes on in both', async (stage) => {
  using provider = await startFakeProvider()
  const laptop = await stage.device("Anna's laptop", wide)
  const { page } = laptop
  await openT69(page, laptop.url)
  await fillSpace(page, 'Bread', 'Garden')
  await setUpProvider(page, { name: 'Kitchen', baseUrl: provider.baseUrl, model: 'small', key: 'k' })
  await page.getByTestId('close-dialog').click()

  await page.keyboard.press('Control+Backslash')
  await page.getByTestId('empty-pane').waitFor()
  expect(await page.getByTestId('panes').getAttribute('data-count')).toBe('2')
  // The keyboard is in the new one.
  const newComposer = pane(page, 'No chat yet').getByTestId('composer')
  await expect.poll(() => newComposer.evaluate((it) => it === document.activeElement)).toBe(true)
  await page.keyboard.type('Half a thought')
  expect(await pane(page, 'No chat yet').getByTestId('composer').inputValue()).toBe('Half a thought')
  await stage.shot(laptop, 'an empty side')
  await treeItem(page, { title: 'Bread' }).click()
  await said(pane(page, 'Bread'), 'About Bread').waitFor()
  await said(pane(page, 'Garden'), 'About Garden').waitFor()
  expect(await panes(page)).toEqual(['Garden 0 0', 'Bread 50 0'])
  expect(await title(page)).toBe('Bread')

  // A reply goes on beside what is written in the other one.
  await pane(page, 'Bread').getByTestId('composer').fill('How long?')
  await pane(page, 'Bread').getByTestId('composer').press('Enter')
  await provider.stream('Four hours')
  await pane(page, 'Bread').getByText('Four hours').waitFor()
  await pane(page, 'Garden').getByTestId('composer').click()
  expect(await title(page)).toBe('Garden')
  await expect.poll(() => page.title()).toContain('Garden')
  await pane(page, 'Garden').getByTestId('composer').fill('Plant beans')
  await provider.stream(' and a night.')
  await pane(page, 'Bread').getByText('Four hours and a night.').waitFor()
  provider.finish()
  await pane(page, 'Bread').locator('[data-outcome=done]').last().waitFor()
  expect(await pane(page, 'Garden').getByTestId('composer').inputValue()).toBe('Plant beans')
  await stage.shot(laptop, 'a reply beside a draft')

  // Ctrl+Z is for the side that has the focus.
  const beans = said(pane(page, 'Garden'), 'About Garden')
  await beans.hover()
  await beans.getByTestId('delete-message').click()
  await beans.waitFor({ state: 'detached' })
  await page.keyboard.press('F6')
  await expect.poll(() => title(page)).toBe('Bread')
  await expect
    .poll(() =>
      focused(page)
        .getByTestId('composer')
        .evaluate((it) => it === document.activeElement),
    )
    .toBe(true)
  await focused(page).locator('[data-scroller]').focus()
  await page.keyboard.press('Control+z')
  await page.keyboard.press('Shift+F6')
  await expect.poll(() => title(page)).toBe('Garden')
  expect(await beans.count()).toBe(0)
  await focused(page).locator('[data-scroller]').focus()
  await page.keyboard.press('Control+z')
  await beans.waitFor()

  // What was begun in an empty side is there in the next one, and begins a chat there.
  await page.keyboard.press('Control+Shift+Backslash')
  const empty = pane(page, 'No chat yet').getByTestId('composer')
  await expect.poll(() => empty.inputValue()).toBe('Half a thought')
  await empty.press('Enter')
  await said(pane(page, 'Half a thought'), 'Half a thought').waitFor()
  expect(await panes(page)).toEqual(['Garden 0 0', 'Half a thought 0 50', 'Bread 50 0'])
  expect(await focused(page).getByTestId('composer').inputValue()).toBe('')
  await focused(page).locator('[data-testid=close-tab]').click()
  await expect.poll(() => panes(page)).toEqual(['Garden 0 0', 'Bread 50 0'])

  // Back leads to the chat that was chosen before, in its own place.
  await treeItem(page, { title: 'Bread' }).click()
  await expect.poll(() => title(page)).toBe('Bread')
  await page.goBack()
  await expect.poll(() => title(page)).toBe('Garden')
  expect(await panes(page)).toEqual(['Garden 0 0', 'Bread 50 0'])
})

story(
  'panes are split, resized, dragged and closed, with a mouse and by keyboard, and kept on this device',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop", wide)
    const { page } = laptop
    await openT69(page, laptop.url)
    await fillSpace(page, 'Bread', 'Garden', 'Lisbon')
    for (const chat of ['Bread', 'Garden'])
      await treeItem(page, { title: chat }).click({ modifiers: ['Control'] })
    const tab = (name: string) => page.getByTestId('tab').filter({ hasText: name })
    await tab('Garden').click({ button: 'right' })
    await page.getByTestId('split-end').click()
    await said(pane(page, 'Garden'), 'About Garden').waitFor()
    expect(await panes(page)).toEqual(['Lisbon 0 0', 'Garden 50 0'])
    expect(await title(page)).toBe('Garden')

    // A tab that is dragged to the lower edge of a pane gets a pane of its own there.
    const garden = (await pane(page, 'Garden').boundingBox())!
    await dragTo(page, tab('Bread'), { x: garden.x + garden.width / 2, y: garden.y + garden.height - 40 })
    await page.locator('[data-testid=drop-place][data-side=bottom]').waitFor()
    await stage.shot(laptop, 'a tab over the lower edge')
    await page.mouse.up()
    await said(pane(page, 'Bread'), 'About Bread').waitFor()
    const three = ['Lisbon 0 0', 'Garden 50 0', 'Bread 50 50']
    expect(await panes(page)).toEqual(three)

    // Its edge moves with the arrow keys, and with the mouse.
    const edge = page.locator('[data-testid=pane-edge][aria-orientation=vertical]')
    await edge.focus()
    await page.keyboard.press('ArrowLeft')
    expect(await edge.getAttribute('aria-valuenow')).toBe('46')
    const at = (await edge.boundingBox())!
    await page.mouse.move(at.x + 4, at.y + 200)
    await page.mouse.down()
    await page.mouse.move(at.x + 4 + 162, at.y + 200, { steps: 4 })
    await page.mouse.up()
    expect(await edge.getAttribute('aria-valuenow')).toBe('60')
    await stage.shot(laptop, 'three chats')
    const kept = await panes(page)

    await reload(page)
    await ready(page)
    for (const chat of ['Lisbon', 'Garden', 'Bread']) await said(pane(page, chat), `About ${chat}`).waitFor()
    expect(await panes(page)).toEqual(kept)
    expect(await title(page)).toBe('Bread')
    await page.emulateMedia({ colorScheme: 'dark' })
    await stage.shot(laptop, 'three chats in the dark')
    await page.emulateMedia({ colorScheme: 'light' })

    // A phone shows one, and the layout waits for a wider window.
    await page.setViewportSize({ width: 390, height: 844 })
    await expect.poll(() => page.getByTestId('pane').count()).toBe(1)
    await message(page, 'About Bread').waitFor()
    await stage.shot(laptop, 'one chat on a phone')
    await page.setViewportSize(wide.viewport)
    await expect.poll(() => panes(page)).toEqual(kept)

    // Closed by keyboard: its tabs are behind those beside it.
    await page.keyboard.press('Control+k')
    const command = 'Close this side'
    await page.getByTestId('palette-input').fill(command)
    await page.locator(`[data-testid=palette-list][data-query="${command}"][aria-busy=false]`).waitFor()
    await page.keyboard.press('Enter')
    await expect.poll(() => page.getByTestId('pane').count()).toBe(2)
    expect(await page.getByTestId('tab').count()).toBe(3)
    expect(await title(page)).toBe('Garden')
    await tab('Garden').focus()
    await page.keyboard.press('Shift+F10')
    await page.getByTestId('move-to-next').press('Enter')
    await expect.poll(() => title(page)).toBe('Garden')
    expect(await tab('Bread').getAttribute('aria-selected')).toBe('true')
    // The last tab takes its pane with it.
    await tab('Bread').focus()
    await page.keyboard.press('Delete')
    await expect.poll(() => page.getByTestId('pane').count()).toBe(1)
    await message(page, 'About Garden').waitFor()
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute('data-testid')))
      .toBe('composer')
  },
)

story('in Arabic the panes run from right to left', async (stage) => {
  const laptop = await stage.device("Anna's laptop", { ...wide, locale: 'ar' })
  const { page } = laptop
  await openT69(page, laptop.url)
  await fillSpace(page, 'خبز', 'حديقة')
  await treeItem(page, { title: 'خبز' }).hover()
  await treeItem(page, { title: 'خبز' }).getByTestId('tree-menu').click()
  await page.getByTestId('menu-open-beside').click()
  await said(pane(page, 'خبز'), 'About خبز').waitFor()
  expect(await panes(page)).toEqual(['حديقة 50 0', 'خبز 0 0'])
  await page.getByTestId('pane-edge').focus()
  await page.keyboard.press('ArrowLeft')
  expect(await page.getByTestId('pane-edge').getAttribute('aria-valuenow')).toBe('54')
  await stage.shot(laptop, 'two chats')
})
