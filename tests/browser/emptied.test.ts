import { expect } from 'vitest'

import type { Device } from '../lib/device.ts'
import { readStore } from '../lib/local-db.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  invite,
  message,
  messages,
  newChat,
  openT69,
  ready,
  say,
  signOut,
  synced,
  treeItem,
  visit,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

/** Does what "Delete the data of this site" in the browser's settings does, under an open page. */
async function emptyDatabase({ context, page }: Device, url = page.url()): Promise<void> {
  const devtools = await context.newCDPSession(page)
  const { origin } = new URL(url)
  await devtools.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' })
  await devtools.detach()
}

story(
  'a page whose database is deleted under it continues to store and sync, and has everything after a reload',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", accountOf('Anna'))
    await newChat(laptop.page, 'First')
    await say(laptop.page, 'In the first chat')
    await newChat(laptop.page, 'Second')
    await say(laptop.page, 'Before')
    await synced(laptop.page)
    const other = await acceptInvite(
      stage,
      "Ben's laptop",
      accountOf('Ben'),
      await invite(laptop.page, 'editor'),
    )
    await treeItem(other.page, { title: 'Second' }).click()

    // One edit is only here when the database goes, one is made later, one comes from elsewhere.
    await laptop.goOffline()
    await say(laptop.page, 'Unsent')
    await emptyDatabase(laptop)
    await say(laptop.page, 'After')
    await say(other.page, 'From Ben')
    await laptop.goOnline()
    await laptop.lookAgain()
    for (const text of ['Unsent', 'After']) await message(other.page, text).waitFor()
    await message(laptop.page, 'From Ben').waitFor()
    await synced(laptop.page)
    const shown = await messages(laptop.page)
    expect(new Set(shown)).toEqual(new Set(['Before', 'Unsent', 'After', 'From Ben']))

    await laptop.goOffline()
    await laptop.page.reload()
    await ready(laptop.page)
    await expect.poll(() => messages(laptop.page)).toEqual(shown)
    // This chat was not open when everything was deleted: it came back from the log.
    await treeItem(laptop.page, { title: 'First' }).click()
    await expect.poll(() => messages(laptop.page)).toEqual(['In the first chat'])
    await stage.shot(laptop, 'after the reload')
  },
)

story(
  'a page that opens after the browser has lost its database is signed in, says so, and gets back what was synced',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", accountOf('Anna'))
    await say(laptop.page, 'Synced')
    await synced(laptop.page)
    await laptop.page.goto('about:blank')
    await emptyDatabase(laptop, laptop.url)
    await openT69(laptop.page, laptop.url)
    await treeItem(laptop.page, { title: 'Synced' }).click()
    await message(laptop.page, 'Synced').waitFor()
    const notice = laptop.page.getByTestId('notice')
    expect(await notice.innerText()).toContain('This browser has lost what it stored for t69.')
    await stage.shot(laptop, 'after the loss')
    await say(laptop.page, 'Again')
    await synced(laptop.page)
    await laptop.page.reload()
    await message(laptop.page, 'Again').waitFor()
    expect(await notice.count()).toBe(0)

    // Whoever has signed out is not signed in by a loss, and is told nothing.
    await signOut(laptop.page)
    await visit(laptop.page, 'about:blank')
    await emptyDatabase(laptop, laptop.url)
    await openT69(laptop.page, laptop.url)
    await laptop.page.getByTestId('sign-in').waitFor()
    expect(await notice.count()).toBe(0)
  },
)

story('a local space is stored again when its database is deleted under the page', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  await openT69(laptop.page, laptop.url)
  await say(laptop.page, 'Only here')
  await emptyDatabase(laptop)
  await say(laptop.page, 'And this')
  // The space, its tree and the chat with all its messages.
  await expect.poll(async () => (await readStore(laptop.page, 'spaces')).length).toBe(1)
  await laptop.page.reload()
  await ready(laptop.page)
  await expect.poll(() => messages(laptop.page)).toEqual(['Only here', 'And this'])
})
