import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { holdStores, readStore } from '../lib/local-db.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  message,
  messages,
  newChat,
  newFolder,
  newSpace,
  openSpace,
  openT69,
  ready,
  reload,
  renameItem,
  say,
  showSidebar,
  signIn,
  signUp,
  spaceOf,
  status,
  synced,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'

const anna = accountOf('Anna')

story('someone writes at once, signed out, and finds the messages again without a server', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  await openT69(laptop.page, laptop.url)
  expect((await status(laptop.page)).phase).toBe('local')
  await newChat(laptop.page, 'Plans for the garden')
  await say(laptop.page, 'Beans along the fence')
  await say(laptop.page, 'Roses by the door')
  await newFolder(laptop.page, 'House')
  await stage.shot(laptop, 'writing signed out')
  const rows = await treeRows(laptop.page)

  // The page itself is cached on the device too.
  await laptop.page.evaluate(() => navigator.serviceWorker.ready.then(() => null))
  laptop.expectLostConnections()
  await stage.server.kill()
  await laptop.page.reload()
  await ready(laptop.page)
  await treeItem(laptop.page, { title: 'Plans for the garden' }).click()
  await expect.poll(() => messages(laptop.page)).toEqual(['Beans along the fence', 'Roses by the door'])
  await expect.poll(() => treeRows(laptop.page)).toEqual(rows)
  await stage.shot(laptop, 'reloaded without a server')
})

story('turning on syncing for a local space uploads everything written before', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  await openT69(laptop.page, laptop.url)
  await newChat(laptop.page, 'Plans for the garden')
  await say(laptop.page, 'Beans along the fence')
  await say(laptop.page, 'Roses by the door')
  await newFolder(laptop.page, 'House')
  const spaceId = await spaceOf(laptop.page)
  await signUp(laptop.page, anna)
  expect((await status(laptop.page)).phase).toBe('local')
  await enableSync(laptop.page)
  await stage.shot(laptop, 'synced')

  const phone = await stage.device("Anna's other browser")
  await openT69(phone.page, phone.url)
  await signIn(phone.page, anna)
  await openSpace(phone.page, spaceId)
  await synced(phone.page)
  await expect.poll(() => treeRows(phone.page)).toEqual(await treeRows(laptop.page))
  await treeItem(phone.page, { title: 'Plans for the garden' }).click()
  await expect.poll(() => messages(phone.page)).toEqual(['Beans along the fence', 'Roses by the door'])
  await stage.shot(phone, 'the space on the second browser')

  // A reload stays signed in.
  await phone.page.reload()
  await synced(phone.page)
  await showSidebar(phone.page)
  await expect.poll(() => phone.page.getByTestId('account').innerText()).toContain('Anna')
})

story('spaces are created, renamed and deleted, and the others stay', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'In the first space')
  const first = await spaceOf(page)
  await newSpace(page, 'Club')
  const second = await spaceOf(page)
  expect(second).not.toBe(first)

  await page.getByTestId('space-switcher').click()
  await page.getByTestId('rename-space').click()
  await page.getByTestId('name-input').fill('Chess club')
  await page.getByTestId('name-submit').click()
  await expect.poll(() => page.getByTestId('space-name').innerText()).toBe('Chess club')

  await openSpace(page, first)
  await treeItem(page, { title: 'In the first space' }).waitFor()
  await openSpace(page, second)
  await page.getByTestId('space-switcher').click()
  await page.getByTestId('delete-space').waitFor()
  await stage.shot(laptop, 'the menu of spaces')
  await page.getByTestId('delete-space').click()
  await page.getByTestId('confirm').click()
  await expect.poll(() => spaceOf(page)).toBe(first)
  await treeItem(page, { title: 'In the first space' }).waitFor()
  await page.getByTestId('space-switcher').click()
  await expect.poll(() => page.getByTestId('space-item').count()).toBe(1)
})

story('of two spaces chosen while the disk is busy, the one chosen last stays on screen', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'A chat to open again')
  for (const name of ['Club', 'Work']) await newSpace(page, name)
  const choose = async (name: string) => {
    await page.getByTestId('space-switcher').click()
    await page.getByTestId('space-item').filter({ hasText: name }).click()
  }
  await reload(page)
  await ready(page)

  const release = await holdStores(page, 'treeOps')
  // Slower to open than the next: it also opens a chat.
  await choose('My space')
  await choose('Club')
  await release()
  await expect.poll(() => page.getByTestId('space-name').innerText()).toBe('Club')
  await newChat(page, 'Chess')
  await say(page, 'Who has the board?')
  expect(await page.getByTestId('space-name').innerText()).toBe('Club')
  expect(await treeRows(page)).toEqual(['Chess'])
})

story('chats are renamed, deleted and restored', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'Recipes')
  await newChat(page, 'Letters')
  await renameItem(page, treeItem(page, { title: 'Recipes' }), 'Soups')
  await treeItem(page, { title: 'Soups' }).getByTestId('tree-menu').click()
  await page.getByTestId('menu-delete').click()
  await treeItem(page, { title: 'Soups' }).waitFor({ state: 'detached' })
  await stage.shot(laptop, 'deleted, with a way back')
  await page.getByTestId('undo').click()
  await treeItem(page, { title: 'Soups' }).waitFor()
  await reload(page)
  await ready(page)
  await expect.poll(() => treeRows(page)).toEqual(['Letters', 'Soups'])
})

story('text typed immediately after "New chat" goes into that chat', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  await openT69(laptop.page, laptop.url)
  const said = ['One', 'Two', 'Three', 'Four', 'Five', 'Six']
  for (const text of said) {
    // Without a helper, which would wait: the composer is used immediately after the click.
    await laptop.page.getByTestId('new-chat').click()
    await laptop.page.getByTestId('composer').fill(text)
    await laptop.page.getByTestId('composer').press('Enter')
    await expect.poll(() => messages(laptop.page)).toEqual([text])
  }
  await expect.poll(() => laptop.page.getByTestId('tree-title').allTextContents()).toEqual(said.toReversed())
})

story('text typed while a chat is still loading from a busy disk goes into that chat', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  const choose = (title: string) => treeItem(page, { title }).click()
  await openT69(page, laptop.url)
  for (const title of ['Garden', 'House']) {
    await newChat(page, title)
    await say(page, `About the ${title.toLowerCase()}`)
  }
  await reload(page)
  await ready(page)

  const release = await holdStores(page, 'treeOps')
  await choose('Garden')
  await page.getByTestId('composer').fill('Sent while it opens')
  await page.getByTestId('composer').press('Enter')
  await page.getByTestId('composer').fill('Half a thou')
  expect(await page.getByTestId('chat-title').inputValue()).toBe('Garden')
  expect(await messages(page)).toEqual([])
  await release()
  await message(page, 'Sent while it opens').waitFor()
  expect(await messages(page)).toEqual(['About the garden', 'Sent while it opens'])
  expect(await page.getByTestId('composer').inputValue()).toBe('Half a thou')

  await choose('House')
  await expect.poll(() => messages(page)).toEqual(['About the house'])
  await expect.poll(() => page.getByTestId('composer').inputValue()).toBe('')
  await choose('Garden')
  await expect.poll(() => page.getByTestId('composer').inputValue()).toBe('Half a thou')
  await choose('House')

  // Sent, and another chat opened before the first has loaded; the text begun there stays its draft.
  await reload(page)
  await ready(page)
  const releaseBoth = await holdStores(page, 'treeOps', 'spaces')
  await choose('Garden')
  await page.getByTestId('composer').fill('Sent in passing')
  await page.getByTestId('composer').press('Enter')
  await page.getByTestId('composer').fill('Another')
  await choose('House')
  await releaseBoth()
  await expect.poll(() => messages(page)).toEqual(['About the house'])
  await expect.poll(() => page.getByTestId('composer').inputValue()).toBe('')
  await choose('Garden')
  await expect
    .poll(() => messages(page))
    .toEqual(['About the garden', 'Sent while it opens', 'Sent in passing'])
  await expect.poll(() => page.getByTestId('composer').inputValue()).toBe('Half a thou\nAnother')
})

story('text typed as another space is chosen stays a draft of its own chat', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'Diary')
  const first = await spaceOf(page)
  await newSpace(page, 'Second')
  const second = await spaceOf(page)
  await openSpace(page, first)
  await page.getByTestId('space-switcher').click()
  const item = page.locator(`[data-testid=space-item][data-space-id="${second}"]`)
  // In one turn, before the text is stored.
  await item.evaluate((chosen) => {
    const area = document.querySelector<HTMLTextAreaElement>('[data-testid=composer]')
    if (area === null) throw new Error('there is no composer')
    area.value = 'Half a thought'
    area.dispatchEvent(new Event('input', { bubbles: true }))
    if (chosen instanceof HTMLElement) chosen.click()
  })
  await expect.poll(() => spaceOf(page)).toBe(second)
  await expect.poll(() => page.getByTestId('composer').inputValue()).toBe('')
  await openSpace(page, first)
  await expect.poll(() => page.getByTestId('composer').inputValue()).toBe('Half a thought')
})

story(
  'a message that is being edited stays so in another chat, and after the tab has died',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    await openT69(laptop.page, laptop.url)
    await newChat(laptop.page, 'Recipes')
    await say(laptop.page, 'Two eggs')
    await message(laptop.page, 'Two eggs').hover()
    await message(laptop.page, 'Two eggs').getByTestId('edit-message').click()
    await laptop.page.keyboard.press('End')
    await laptop.page.keyboard.type(', and a pound of flour')
    await newChat(laptop.page, 'Letters')
    await say(laptop.page, 'Dear Ben')
    await treeItem(laptop.page, { title: 'Recipes' }).click()
    const written = () => laptop.page.getByTestId('edit-input').inputValue()
    await expect.poll(written).toBe('Two eggs, and a pound of flour')
    // It takes the keyboard only when it is begun.
    const hasKeyboard = (area: Element) => area === document.activeElement
    expect(await laptop.page.getByTestId('edit-input').evaluate(hasKeyboard)).toBe(false)

    await laptop.page.getByTestId('edit-input').click()
    await laptop.page.keyboard.press('End')
    await laptop.page.keyboard.type(', sifted')
    await expect
      .poll(async () => JSON.stringify(await readStore(laptop.page, 'spaces')))
      .toContain('a pound of flour, sifted')
    await laptop.killTab()
    await expect.poll(written).toBe('Two eggs, and a pound of flour, sifted')
    await stage.shot(laptop, 'still being edited')
    await laptop.page.getByTestId('edit-save').click()
    await expect.poll(() => messages(laptop.page)).toEqual(['Two eggs, and a pound of flour, sifted'])
    await laptop.page.reload()
    await expect.poll(() => messages(laptop.page)).toEqual(['Two eggs, and a pound of flour, sifted'])
    expect(await laptop.page.getByTestId('edit-input').count()).toBe(0)

    // Whoever leaves an edit by mistake takes that back.
    await message(laptop.page, 'Two eggs, and a pound of flour, sifted').hover()
    await laptop.page.getByTestId('edit-message').click()
    await laptop.page.getByTestId('edit-input').fill('Two eggs, and nothing else')
    await laptop.page.getByTestId('edit-input').press('Escape')
    await laptop.page.getByTestId('edit-input').waitFor({ state: 'detached' })
    await laptop.page.getByTestId('undo').click()
    await expect.poll(written).toBe('Two eggs, and nothing else')
    await laptop.page.reload()
    await expect.poll(written).toBe('Two eggs, and nothing else')
    // One that has begun meanwhile stays as it is.
    await laptop.page.getByTestId('edit-input').press('Escape')
    await laptop.page.getByTestId('undo').waitFor()
    await message(laptop.page, 'Two eggs, and a pound of flour, sifted').hover()
    await laptop.page.getByTestId('edit-message').click()
    await laptop.page.getByTestId('edit-input').fill('Three eggs')
    await laptop.page.getByTestId('undo').click()
    await laptop.page.getByTestId('undo').waitFor({ state: 'detached' })
    expect(await written()).toBe('Three eggs')
  },
)

story('what is typed as the page is left is there when it comes back', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'Recipes')
  await say(page, 'Two eggs')
  await message(page, 'Two eggs').hover()
  await message(page, 'Two eggs').getByTestId('edit-message').click()
  await page.getByTestId('edit-input').waitFor()
  const loaded = page.waitForEvent('load')
  // In one turn, before the text is stored.
  await page.evaluate(() => {
    for (const [field, text] of [
      ['edit-input', 'Two eggs, and flour'],
      ['composer', 'Half a thought'],
    ] as const) {
      const area = document.querySelector<HTMLTextAreaElement>(`[data-testid=${field}]`)
      if (area === null) throw new Error(`there is no ${field}`)
      area.value = text
      area.dispatchEvent(new Event('input', { bubbles: true }))
    }
    location.reload()
  })
  await loaded
  await ready(page)
  await expect.poll(() => page.getByTestId('composer').inputValue()).toBe('Half a thought')
  await expect.poll(() => page.getByTestId('edit-input').inputValue()).toBe('Two eggs, and flour')
})

story('what is typed into a message stays when another tab edits the message too', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'Recipes')
  await say(page, 'Two eggs')
  const other = await laptop.context.newPage()
  await openT69(other, page.url())
  const begin = async (tab: Page): Promise<void> => {
    await message(tab, 'Two eggs').hover()
    await message(tab, 'Two eggs').getByTestId('edit-message').click()
  }
  const written = (tab: Page) => tab.getByTestId('edit-input').inputValue()
  await begin(page)
  await page.getByTestId('edit-input').fill('Two eggs, flour')
  await expect.poll(async () => JSON.stringify(await readStore(page, 'spaces'))).toContain('Two eggs, flour')

  // It goes on with what this tab has typed.
  await begin(other)
  await expect.poll(() => written(other)).toBe('Two eggs, flour')
  await other.getByTestId('edit-input').fill('Three eggs')
  await other.getByTestId('edit-save').click()
  await expect.poll(() => messages(other)).toEqual(['Three eggs'])
  const shown = await other.getByTestId('message').getAttribute('data-id')
  await expect.poll(() => page.getByTestId('message').getAttribute('data-id')).toBe(shown)
  expect(await written(page)).toBe('Two eggs, flour')
  await page.getByTestId('edit-save').click()
  await expect.poll(() => messages(page)).toEqual(['Two eggs, flour'])
  await expect.poll(() => page.getByTestId('branch-label').innerText()).toBe('3 / 3')
})

story(
  'tabs opened at the same time on a first visit create one space, and one more when it is deleted',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const others = await Promise.all([1, 2, 3, 4].map(() => laptop.context.newPage()))
    const tabs = [laptop.page, ...others]
    const spaces = async (): Promise<number> => new Set(await Promise.all(tabs.map(spaceOf))).size
    await Promise.all(tabs.map((page) => openT69(page, laptop.url)))
    expect(await spaces()).toBe(1)
    const first = await spaceOf(laptop.page)

    await laptop.page.getByTestId('space-switcher').click()
    await laptop.page.getByTestId('delete-space').click()
    await laptop.page.getByTestId('confirm').click()
    await expect.poll(async () => (await Promise.all(tabs.map(spaceOf))).includes(first)).toBe(false)
    await expect.poll(spaces).toBe(1)
    await laptop.page.getByTestId('space-switcher').click()
    await expect.poll(() => laptop.page.getByTestId('space-item').count()).toBe(1)
  },
)
