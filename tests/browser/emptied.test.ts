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
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

const moment = { timeout: 10_000 }

/** What the browser's settings do for "Delete the data of this site", under an open page. */
async function emptyDatabase({ context, page }: Device): Promise<void> {
  const devtools = await context.newCDPSession(page)
  const { origin } = new URL(page.url())
  await devtools.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' })
  await devtools.detach()
}

story(
  'a page whose database is deleted under it stores and syncs on, and lacks nothing after a reload',
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

    // One edit is only here when it goes, one is made after, one comes from elsewhere.
    await laptop.goOffline()
    await say(laptop.page, 'Unsent')
    await emptyDatabase(laptop)
    await say(laptop.page, 'After')
    await say(other.page, 'From Ben')
    await laptop.goOnline()
    await laptop.lookAgain()
    for (const text of ['Unsent', 'After']) await message(other.page, text).waitFor(moment)
    await message(laptop.page, 'From Ben').waitFor(moment)
    await synced(laptop.page)
    const shown = await messages(laptop.page)
    expect(new Set(shown)).toEqual(new Set(['Before', 'Unsent', 'After', 'From Ben']))

    await laptop.goOffline()
    await laptop.page.reload()
    await ready(laptop.page)
    await expect.poll(() => messages(laptop.page), moment).toEqual(shown)
    // It was not open when all was deleted: the log had it.
    await treeItem(laptop.page, { title: 'First' }).click()
    await expect.poll(() => messages(laptop.page), moment).toEqual(['In the first chat'])
    await stage.shot(laptop, 'after the reload')
  },
)

story('what was never synced is stored again when its database is deleted under the page', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  await openT69(laptop.page, laptop.url)
  await say(laptop.page, 'Only here')
  await emptyDatabase(laptop)
  await say(laptop.page, 'And this')
  // Its space, the space's tree and the chat with all that was said.
  await expect.poll(async () => (await readStore(laptop.page, 'spaces')).length, moment).toBe(1)
  await laptop.page.reload()
  await ready(laptop.page)
  await expect.poll(() => messages(laptop.page), moment).toEqual(['Only here', 'And this'])
})
