import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import { message, newChat, openT69, ready, reload, say, spaceOf, treeItem } from '../lib/t69-page.ts'

/** The titles of the tabs, the one in front in brackets, and the passing one with an asterisk. */
async function tabs(page: Page): Promise<string[]> {
  return await page.getByTestId('tab').evaluateAll((all) =>
    all.map((tab) => {
      const title =
        (tab.querySelector('.title')?.textContent ?? '') + (tab.dataset['passing'] === 'true' ? '*' : '')
      return tab.getAttribute('aria-selected') === 'true' ? `[${title}]` : title
    }),
  )
}

async function fillSpace(page: Page, ...titles: string[]): Promise<void> {
  for (const title of titles) {
    await newChat(page, title)
    await say(page, `About ${title}`)
  }
}

const tab = (page: Page, title: string) => page.getByTestId('tab').filter({ hasText: title })

story('chats are open in tabs, which are closed, moved and kept on this device', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await fillSpace(page, 'One', 'Two', 'Three')
  expect(await tabs(page)).toEqual([])
  await treeItem(page, { title: 'One' }).click({ modifiers: ['Control'] })
  await expect.poll(() => tabs(page)).toEqual(['[Three*]', 'One'])
  expect(await page.getByTestId('chat-title').inputValue()).toBe('Three')
  // The next chat takes the place of the passing one.
  await treeItem(page, { title: 'Two' }).click()
  await message(page, 'About Two').waitFor()
  expect(await tabs(page)).toEqual(['[Two*]', 'One'])
  // One that has a tab comes to the front in it.
  await treeItem(page, { title: 'One' }).click()
  await message(page, 'About One').waitFor()
  expect(await tabs(page)).toEqual(['Two*', '[One]'])
  await tab(page, 'Two').dblclick()
  await treeItem(page, { title: 'Three' }).click()
  await message(page, 'About Three').waitFor()
  expect(await tabs(page)).toEqual(['Two', '[Three*]', 'One'])
  await stage.shot(laptop, 'three tabs')

  // A tab that is dragged comes to the front. Its title follows the chat's.
  const [from, to] = [await tab(page, 'One').boundingBox(), await tab(page, 'Two').boundingBox()]
  if (from === null || to === null) throw new Error('The tabs are not on screen')
  await page.mouse.move(from.x + 30, from.y + 10)
  await page.mouse.down()
  await page.mouse.move(to.x + 30, to.y + 10, { steps: 5 })
  await page.mouse.up()
  await message(page, 'About One').waitFor()
  expect(await tabs(page)).toEqual(['[One]', 'Two', 'Three*'])
  await tab(page, 'Three').click()
  await message(page, 'About Three').waitFor()
  await page.getByTestId('chat-title').fill('Third')
  await page.getByTestId('chat-title').press('Enter')
  await expect.poll(() => tabs(page)).toEqual(['One', 'Two', '[Third*]'])

  await reload(page)
  await ready(page)
  await message(page, 'About Three').waitFor()
  expect(await tabs(page)).toEqual(['One', 'Two', '[Third*]'])
  await tab(page, 'Third').getByTestId('close-tab').click()
  await message(page, 'About Two').waitFor()
  expect(await tabs(page)).toEqual(['One', '[Two]'])
  await page.goBack()
  await message(page, 'About Three').waitFor()
  await tab(page, 'One').click({ button: 'middle' })
  expect(await tabs(page)).toEqual(['Two', '[Third*]'])

  await treeItem(page, { title: 'Third' }).hover()
  await treeItem(page, { title: 'Third' }).getByTestId('tree-menu').click()
  await page.getByTestId('menu-delete').click()
  await expect.poll(() => tabs(page)).toEqual([])
})

story('the keyboard alone opens, changes, moves and closes tabs', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await fillSpace(page, 'One', 'Two', 'Three')
  await page.getByTestId('tree').focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Control+Enter')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Control+Enter')
  await expect.poll(() => tabs(page)).toEqual(['[Three*]', 'One', 'Two'])
  await tab(page, 'Three').focus()
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Enter')
  await message(page, 'About One').waitFor()
  expect(await tabs(page)).toEqual(['Three*', '[One]', 'Two'])
  await page.keyboard.press('Control+ArrowRight')
  expect(await tabs(page)).toEqual(['Three*', 'Two', '[One]'])
  await page.keyboard.press('Delete')
  await message(page, 'About Two').waitFor()
  expect(await tabs(page)).toEqual(['Three*', '[Two]'])
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent?.trim())).toBe('Two')
})

story('the tabs that t69 of June 2025 left on a device are there', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await fillSpace(page, 'One', 'Two', 'Three')
  const spaceId = await spaceOf(page)
  const treeIds = new Map<string, string>()
  for (const title of ['One', 'Two'])
    treeIds.set(title, (await treeItem(page, { title }).getAttribute('data-tree-id')) ?? '')
  const chat = (id: string, title: string, panel: string) => [
    { id, type: 'tab', parent: panel, name: title, content: `c-${id}`, isLazy: false },
    {
      id: `c-${id}`,
      type: 'content',
      parent: id,
      componentId: 'chat',
      data: { componentProps: { treeId: treeIds.get(title) } },
    },
  ]
  const whole = { value: 100, unit: '%' }
  // Two panels side by side.
  const layout = {
    tiles: [
      { id: 'root', type: 'grid', parent: null, rows: ['r'] },
      { id: 'r', type: 'row', parent: 'root', columns: ['cs', 'cm'], height: whole },
      { id: 'cs', type: 'column', parent: 'r', child: 'side', width: { value: 300, unit: 'px' } },
      { id: 'side', type: 'content', parent: 'cs', componentId: 'sidebar' },
      { id: 'cm', type: 'column', parent: 'r', child: 'g', width: whole },
      { id: 'g', type: 'grid', parent: 'cm', rows: ['r2'], dontClean: true },
      { id: 'r2', type: 'row', parent: 'g', columns: ['c1', 'c2'], height: whole },
      { id: 'c1', type: 'column', parent: 'r2', child: 'p1', width: whole },
      { id: 'c2', type: 'column', parent: 'r2', child: 'p2', width: whole },
      { id: 'p1', type: 'panel', parent: 'c1', tabs: ['a'], activeTab: 'a' },
      { id: 'p2', type: 'panel', parent: 'c2', tabs: ['b'], activeTab: 'b' },
      ...chat('a', 'One', 'p1'),
      ...chat('b', 'Two', 'p2'),
    ],
    metadata: { activePanel: 'p1', focusedActiveTab: 'a' },
  }
  await page.evaluate(
    async ({ spaceId, layout }) =>
      await new Promise<void>((resolve, reject) => {
        const opening = indexedDB.open('localDb')
        opening.addEventListener('error', () => reject(new Error('localDb cannot be opened')))
        opening.addEventListener('success', () => {
          const db = opening.result
          const stores = db.transaction(['spaces', 'config'], 'readwrite')
          const spaces = stores.objectStore('spaces')
          const reading = spaces.get(spaceId)
          reading.addEventListener('success', () => spaces.put({ ...reading.result, ttabsLayout: layout }))
          stores.objectStore('config').delete(`view:${spaceId}`)
          stores.addEventListener('complete', () => {
            db.close()
            resolve()
          })
        })
      }),
    { spaceId, layout: JSON.stringify(layout) },
  )
  await page.goto('about:blank')
  await openT69(page, laptop.url)
  await message(page, 'About One').waitFor()
  await message(page, 'About Two').waitFor()
  await expect.poll(() => tabs(page)).toEqual(['[One]', '[Two]'])
  expect(await page.getByTestId('pane').count()).toBe(2)
  expect(await page.getByTestId('chat-title').inputValue()).toBe('One')
})
