import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  message,
  newChat,
  newSpace,
  openT69,
  ready,
  say,
  showSidebar,
  signIn,
  signOut,
  signUp,
  synced,
  treeItem,
} from '../lib/t69-page.ts'

/** Opens the search, types, and resolves with what is offered then. */
async function search(page: Page, query: string): Promise<string[]> {
  const input = page.getByTestId('palette-input')
  if (!(await input.isVisible())) await page.keyboard.press('Control+k')
  await input.fill(query)
  // Nothing is left to read, and what is shown answers this query.
  await page.locator(`[data-testid=palette-list][data-query="${query}"][aria-busy=false]`).waitFor()
  return await page
    .getByTestId('palette-item')
    .evaluateAll((all) =>
      all.map(
        (item) =>
          `${(item as HTMLElement).dataset['kind']}: ${item.querySelector('.texts')?.textContent?.trim()}`,
      ),
    )
}

/** What the browser keeps of the texts that can be found. */
async function keptTexts(page: Page): Promise<string> {
  return await page.evaluate(
    async () =>
      await new Promise<string>((resolve, reject) => {
        const opening = indexedDB.open('t69-search')
        opening.addEventListener('error', () => reject(new Error('t69-search cannot be opened')))
        opening.addEventListener('success', () => {
          const db = opening.result
          const all = db.transaction('texts').objectStore('texts').getAll()
          all.addEventListener('success', () => {
            resolve(JSON.stringify(all.result))
            db.close()
          })
        })
      }),
  )
}

story('whatever is on the device is found as one types, offline and with a typing error', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'Garden')
  await say(page, 'The roses need water in the morning')
  for (let count = 1; count <= 70; count++) await say(page, `Line ${count}`)
  await newChat(page, 'Kitchen')
  await say(page, 'Which bread needs no kneading?')
  await newSpace(page, 'Club')
  await newChat(page, 'Chess')
  await say(page, 'Who brings water?')
  expect(await search(page, 'chess')).toEqual(['chat: Chess'])
  await page.keyboard.press('Escape')
  await page.getByTestId('palette').waitFor({ state: 'detached' })

  await laptop.goOffline()
  expect(await search(page, 'watre')).toEqual([
    'message: Chess Who brings water?',
    'message: Garden The roses need water in the morning',
  ])
  await stage.shot(laptop, 'messages of two spaces')
  expect(await search(page, 'kitchn')).toEqual(['chat: Kitchen'])
  expect(await search(page, 'needs kneading')).toEqual(['message: Kitchen Which bread needs no kneading?'])
  expect(await search(page, 'settings')).toEqual(['command: Settings'])
  expect(await search(page, 'my space')).toContain('space: My space')
  expect(await search(page, 'nothing of the kind')).toEqual([])
  await expect.poll(() => page.getByTestId('palette-status').innerText()).toBe('Nothing was found.')

  // By the keyboard alone: a message of another space, far above the end of its chat.
  await search(page, 'morning')
  await page.keyboard.press('Enter')
  await expect.poll(() => page.getByTestId('space-name').innerText()).toBe('My space')
  const found = message(page, 'The roses need water in the morning')
  await found.waitFor()
  await expect
    .poll(async () => {
      const box = await found.boundingBox()
      return box !== null && box.y > 0 && box.y < 700
    })
    .toBe(true)
  await stage.shot(laptop, 'at the message')
})

story('what is written, renamed and deleted is found as it is now, also after a restart', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'Garden')
  await say(page, 'Tulips in a row')
  expect(await search(page, 'tulips')).toEqual(['message: Garden Tulips in a row'])
  await page.keyboard.press('Escape')
  await page.getByTestId('chat-title').fill('Yard')
  await page.getByTestId('chat-title').press('Enter')
  await say(page, 'Lilies as well')
  expect(await search(page, 'lilies')).toEqual(['message: Yard Lilies as well'])
  await page.reload()
  await ready(page)
  expect(await search(page, 'tulips')).toEqual(['message: Yard Tulips in a row'])
  await page.keyboard.press('Escape')
  await treeItem(page, { title: 'Yard' }).hover()
  await treeItem(page, { title: 'Yard' }).getByTestId('tree-menu').click()
  await page.getByTestId('menu-delete').click()
  await expect.poll(() => search(page, 'tulips')).toEqual([])
})

story('a message that was written below another version of one is shown when it is found', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'Garden')
  await say(page, 'Roses or tulips?')
  await say(page, 'Tulips, I think')
  await message(page, 'Roses or tulips?').hover()
  await message(page, 'Roses or tulips?').getByTestId('edit-message').click()
  await page.getByTestId('edit-input').fill('Roses or lilies?')
  await page.getByTestId('edit-save').click()
  await message(page, 'Tulips, I think').waitFor({ state: 'detached' })
  expect(await search(page, 'think')).toEqual(['message: Garden Tulips, I think'])
  await page.keyboard.press('Enter')
  await message(page, 'Tulips, I think').waitFor()
  await message(page, 'Roses or tulips?').waitFor()
})

story('nothing of a locked space is found, and nothing of its texts is kept', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await signUp(page, accountOf('Anna'))
  await enableSync(page)
  await newChat(page, 'Secrets')
  await say(page, 'The treasure is under the oak')
  await synced(page)
  expect(await search(page, 'treasure')).toEqual(['message: Secrets The treasure is under the oak'])
  await page.keyboard.press('Escape')
  await expect.poll(() => keptTexts(page)).toContain('treasure')

  await signOut(page)
  await expect.poll(() => keptTexts(page)).not.toContain('treasure')
  await say(page, 'The weather is fine')
  expect(await search(page, 'treasure')).toEqual([])
  expect(await search(page, 'weather')).toContain('message: The weather is fine The weather is fine')
  await page.keyboard.press('Escape')

  await signIn(page, accountOf('Anna'))
  await treeItem(page, { title: 'Secrets' }).waitFor()
  expect(await search(page, 'treasure')).toEqual(['message: Secrets The treasure is under the oak'])
})

story('on a phone, the search has the whole screen', async (stage) => {
  const phone = await stage.device("Ben's phone", {
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
  })
  const { page } = phone
  await openT69(page, phone.url)
  await newChat(page, 'Packing list')
  await say(page, 'Tent and lamp')
  await newChat(page, 'Other')
  await say(page, 'Else')
  await showSidebar(page)
  await page.getByTestId('search').click()
  await page.getByTestId('palette-input').waitFor()
  await stage.shot(phone, 'before typing')
  expect(await search(page, 'lamp')).toEqual(['message: Packing list Tent and lamp'])
  await stage.shot(phone, 'found')
  await page.getByTestId('palette-item').first().tap()
  await message(page, 'Tent and lamp').waitFor()
  await showSidebar(page)
  await page.getByTestId('search').click()
  await page.getByTestId('palette-close').click()
  await page.getByTestId('palette').waitFor({ state: 'detached' })

  // Back closes the search, and leaves the chat where it is.
  await showSidebar(page)
  await page.getByTestId('search').click()
  await page.getByTestId('palette-input').waitFor()
  await page.goBack()
  await page.getByTestId('palette').waitFor({ state: 'detached' })
  await message(page, 'Tent and lamp').waitFor()
})
