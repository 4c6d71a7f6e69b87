import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  message,
  messages,
  newChat,
  newSpace,
  openSpace,
  openT69,
  ready,
  say,
  signIn,
  signOut,
  spaceOf,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

/** Actions in quick succession, or in two tabs at a time, have the effect that the user meant. */

const anna = accountOf('Anna')

async function startRenaming(page: Page, title: string): Promise<void> {
  await treeItem(page, { title }).dblclick()
  await page.getByTestId('tree-rename').waitFor()
}

/** Holds back the reply to the next such request of the page, after the server has handled it, until `release`. */
async function holdAnswer(page: Page, method: string, path: RegExp) {
  const answered = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const done = Promise.withResolvers<void>()
  let isHeld = false
  await page.route(path, async (route) => {
    if (isHeld || route.request().method() !== method) return await route.continue()
    isHeld = true
    const response = await route.fetch()
    answered.resolve()
    await released.promise
    await route.fulfill({ response })
    done.resolve()
  })
  return {
    answered: answered.promise,
    async release() {
      released.resolve()
      await done.promise
    },
  }
}

story('a click elsewhere keeps the title that was being typed, and Escape discards it', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'Recipes')
  await newChat(page, 'Letters')

  await startRenaming(page, 'Letters')
  await page.keyboard.type('Not this')
  await page.keyboard.press('Escape')
  await page.getByTestId('tree-rename').waitFor({ state: 'detached' })
  expect(await treeRows(page)).toEqual(['Letters', 'Recipes'])

  // The keys go to the element that was clicked: in the tree, the last of them would delete a chat.
  await startRenaming(page, 'Letters')
  await page.keyboard.type('Post')
  await page.getByTestId('composer').click()
  await page.keyboard.type('Dear Benn')
  await page.keyboard.press('Backspace')
  expect(await page.getByTestId('composer').inputValue()).toBe('Dear Ben')
  await treeItem(page, { title: 'Post' }).waitFor()
  expect(await treeRows(page)).toEqual(['Post', 'Recipes'])

  // Another tab renames the same chat meanwhile: the title being typed stays, in the header and in the tree.
  const tab = await laptop.newTab(`/${new URL(page.url()).hash}`)
  await ready(tab)
  const renameThere = async (title: string) => {
    await tab.getByTestId('chat-title').fill(title)
    await tab.getByTestId('chat-title').press('Enter')
  }
  await page.getByTestId('chat-title').fill('Mail')
  await renameThere('Parcels')
  await treeItem(page, { title: 'Parcels' }).waitFor()
  await page.getByTestId('chat-title').press('Enter')
  await treeItem(tab, { title: 'Mail' }).waitFor()
  await startRenaming(page, 'Mail')
  await page.getByTestId('tree-rename').fill('Stamps')
  await renameThere('Parcels')
  await expect.poll(() => page.getByTestId('chat-title').inputValue()).toBe('Parcels')
  await page.getByTestId('tree-rename').press('Enter')
  await treeItem(tab, { title: 'Stamps' }).waitFor()

  // Nothing was typed, so the title from the start of the renaming does not come back.
  await startRenaming(page, 'Stamps')
  await renameThere('Parcels')
  await expect.poll(() => page.getByTestId('chat-title').inputValue()).toBe('Parcels')
  await page.getByTestId('composer').click()
  await page.getByTestId('tree-rename').waitFor({ state: 'detached' })
  expect(await treeRows(page)).toEqual(['Parcels', 'Recipes'])
})

story('keys pressed in quick succession reach the menu that the first of them opened', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'Recipes')
  await newChat(page, 'Letters')
  await page.getByTestId('tree').focus()
  const devtools = await laptop.context.newCDPSession(page)
  const press = (key: string, windowsVirtualKeyCode: number, more = {}) =>
    devtools.send('Input.dispatchKeyEvent', {
      type: 'keyDown',
      key,
      code: key,
      windowsVirtualKeyCode,
      ...more,
    })
  // Through DevTools, because Playwright would wait for each.
  await Promise.all([
    press('F10', 121, { modifiers: 8 }),
    press('ArrowDown', 40),
    press('ArrowUp', 38),
    press('ArrowUp', 38),
    press('Enter', 13, { text: '\r' }),
  ])
  // The last entry is to delete.
  await expect.poll(() => treeRows(page)).toEqual(['Recipes'])
})

story('a double click on what opens a dialog, or the search, leaves it open', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  for (const [opener, opened] of [
    ['sign-in', 'auth-dialog'],
    ['settings', 'settings-dialog'],
    ['search', 'palette'],
  ] as const) {
    // The first time, what it opens is still being loaded at the second press.
    for (let time = 0; time < 2; time++) {
      const button = await page.getByTestId(opener).boundingBox()
      const [x, y] = [button!.x + button!.width / 2, button!.y + button!.height / 2]
      await page.mouse.dblclick(x, y, { delay: 60 })
      await page.getByTestId(opened).waitFor()
      // A press that came later, and means it.
      await page.waitForTimeout(600)
      expect(await page.getByTestId(opened).count()).toBe(1)
      await page.mouse.click(x, y)
      await page.getByTestId(opened).waitFor({ state: 'detached' })
    }
  }
})

story('what is pressed twice before the server has answered is done once', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  const { page } = laptop
  await page.getByTestId('share').click()
  const creating = await holdAnswer(page, 'POST', /\/invites$/)
  await page.getByTestId('create-invite').click()
  await creating.answered
  await page.getByTestId('create-invite').press('Enter')
  await creating.release()
  await page.getByTestId('invite').first().waitFor()
  expect(await page.getByTestId('invite').count()).toBe(1)
  await page.getByTestId('close-dialog').click()

  await page.getByTestId('settings').click()
  await page.getByTestId('provider-base-url').fill('https://api.example.org/v1')
  await page.getByTestId('provider-key').fill('a key')
  await page.getByTestId('provider-save').evaluate((button: HTMLElement) => {
    button.click()
    // The key is being stored by then.
    setTimeout(() => button.click())
  })
  await page.locator('[data-testid=provider-base-url]:invalid').waitFor()
  expect(await page.getByTestId('provider').count()).toBe(1)
})

story('a late reply replaces nothing that is newer than its request', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  const signingUp = await holdAnswer(page, 'POST', /\/api\/auth\/register$/)
  await page.getByTestId('sign-up').click()
  await page.getByTestId('auth-name').fill(anna.name)
  await page.getByTestId('auth-email').fill(anna.email)
  await page.getByTestId('auth-password').fill(anna.password)
  await page.getByTestId('auth-submit').click()
  await signingUp.answered
  await page.getByTestId('close-dialog').click()
  await page.getByTestId('settings').click()
  await signingUp.release()
  await page.getByTestId('account').waitFor()
  await page.getByTestId('settings-dialog').getByTestId('close-dialog').click()

  // The share dialog is opened before the server knows the space.
  const creating = await holdAnswer(page, 'POST', /\/api\/spaces$/)
  const listing = await holdAnswer(page, 'GET', /\/invites\?/)
  await page.getByTestId('enable-sync').click()
  await page.getByTestId('share').click()
  await page.getByText('There is no connection to the server').waitFor()
  await creating.release()
  await listing.answered
  await page.getByTestId('create-invite').click()
  await page.getByTestId('invite').waitFor()
  await listing.release()
  await page.getByTestId('invite-role').selectOption('viewer')
  expect(await page.getByTestId('invite').count()).toBe(1)
  expect(await page.getByTestId('invite-link').count()).toBe(1)
})

story('a title that is being typed is kept when another space comes to the screen', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'At home')
  const home = await spaceOf(page)
  await newSpace(page, 'Club')
  const club = await spaceOf(page)
  await newChat(page, 'Board')
  await openSpace(page, home)
  await openSpace(page, club)
  await treeItem(page, { title: 'Board' }).click()
  await page.getByTestId('chat-title').fill('Board games')
  await page.evaluate((hash) => void (location.hash = hash), home)
  await expect.poll(() => spaceOf(page)).toBe(home)
  await openSpace(page, club)
  await treeItem(page, { title: 'Board games' }).waitFor()

  await startRenaming(page, 'Board games')
  await page.getByTestId('tree-rename').fill('Games')
  await page.evaluate((hash) => void (location.hash = hash), home)
  await expect.poll(() => spaceOf(page)).toBe(home)
  await openSpace(page, club)
  await treeItem(page, { title: 'Games' }).waitFor()
})

/** Collects what the page tells its user from now on. */
async function collectNotices(page: Page): Promise<() => Promise<readonly string[]>> {
  const said = await page.evaluateHandle(() => {
    const texts = new Set<string>()
    const look = (): void => {
      const text = document.querySelector('[data-testid=notice]')?.textContent.trim()
      if (text !== undefined) texts.add(text)
    }
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true })
    return texts
  })
  return () => said.evaluate((texts) => Array.from(texts))
}

story(
  'a title that is being typed as its space is locked or deleted is not told as an error',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    const { page } = laptop
    await newChat(page, 'At home')
    const home = await spaceOf(page)
    const tab = await laptop.newTab(`/${new URL(page.url()).hash}`)
    // The other tab may be asking for the list of spaces as the session ends.
    laptop.expectErrors(/status of 401/)
    for (const field of ['chat-title', 'tree-rename']) {
      await treeItem(tab, { title: 'At home' }).click()
      if (field === 'tree-rename') await startRenaming(tab, 'At home')
      await tab.getByTestId(field).fill('At ho')
      const notices = await collectNotices(tab)
      await signOut(page)
      await tab.getByTestId('sign-in').waitFor({ state: 'attached' })
      await ready(tab)
      expect(await notices()).toEqual([])
      await signIn(page, anna)
      // The space opens again in both tabs, which closes a menu.
      for (const each of [page, tab]) await expect.poll(() => spaceOf(each)).toBe(home)
    }

    await newSpace(page, 'Club')
    await newChat(page, 'Board')
    await openSpace(tab, await spaceOf(page))
    await treeItem(tab, { title: 'Board' }).click()
    await tab.getByTestId('chat-title').fill('Board games')
    const notices = await collectNotices(tab)
    await page.getByTestId('space-switcher').click()
    await page.getByTestId('delete-space').click()
    await page.getByTestId('confirm').click()
    await expect.poll(() => spaceOf(tab)).toBe(home)
    await expect.poll(notices).toContain('“Club” was deleted in another tab.')
    expect(await notices()).toHaveLength(1)
  },
)

story('deleting a space in one tab opens another space in every tab', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  const { page } = laptop
  await newChat(page, 'At home')
  const home = await spaceOf(page)
  await newSpace(page, 'Club')
  await say(page, 'Who has the board?')
  const tab = await laptop.newTab(`/${new URL(page.url()).hash}`)
  await message(tab, 'Who has the board?').waitFor()
  // Going back closes an open dialog first.
  const club = await spaceOf(tab)
  await openSpace(tab, home)
  await tab.evaluate((hash) => void (location.hash = hash), club)
  await expect.poll(() => spaceOf(tab)).toBe(club)
  await tab.getByTestId('settings').click()
  await tab.getByTestId('settings-dialog').waitFor()
  await expect.poll(() => tab.evaluate(() => (history.state as { layer?: number }).layer)).toBe(1)
  await tab.goBack()
  await tab.getByTestId('settings-dialog').waitFor({ state: 'detached' })
  expect(await spaceOf(tab)).toBe(club)
  await tab.goBack()
  await expect.poll(() => spaceOf(tab)).toBe(home)
  await openSpace(tab, club)

  await page.getByTestId('space-switcher').click()
  await page.getByTestId('delete-space').click()
  await page.getByTestId('confirm').click()
  // First, because it goes by itself.
  await tab.getByTestId('notice').filter({ hasText: '“Club” was deleted in another tab.' }).waitFor()
  for (const one of [page, tab]) {
    await expect.poll(() => spaceOf(one)).toBe(home)
    await treeItem(one, { title: 'At home' }).click()
  }
  await say(tab, 'Still here')
  await message(page, 'Still here').waitFor()
  expect(await messages(page)).toEqual(['Still here'])
})
