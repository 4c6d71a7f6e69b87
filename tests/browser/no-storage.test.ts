import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { readStore } from '../lib/local-db.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  message,
  messages,
  newChat,
  openSpace,
  openT69,
  ready,
  say,
  signIn,
  signUp,
  spaceOf,
  status,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { openElsewhere } from '../lib/tabs-of.ts'

const anna = accountOf('Anna')

/** Runs in a page: refuses storage, as Firefox does whose user has blocked cookies and site data. */
const blocked = `
  const refuse = () => { throw new DOMException('Access is denied for this document.', 'SecurityError') }
  IDBFactory.prototype.open = refuse
  Object.defineProperty(window, 'localStorage', { get: refuse })
  LockManager.prototype.request = async () => refuse()
  BroadcastChannel = class { constructor() { refuse() } }
  ServiceWorkerContainer.prototype.register = async () => refuse()
  CacheStorage.prototype.open = async () => refuse()`

/** Runs in a page: takes IndexedDB away, as in a browser without it. */
const missing = `Object.defineProperty(window, 'indexedDB', { value: undefined })`

for (const [how, script] of Object.entries({ blocked, missing })) {
  story(
    `where storage is ${how}, the app works and syncs, and warns that nothing is stored`,
    async (stage) => {
      const laptop = await stage.device("Anna's laptop")
      const { page } = laptop
      await laptop.context.addInitScript(script)
      await openT69(page, laptop.url)
      expect(await page.getByTestId('volatile-warning').innerText()).toMatch(/lost when you close this page/)
      await newChat(page, 'Diary')
      await say(page, 'Written where nothing is kept')
      await signUp(page, anna)
      await enableSync(page)
      await stage.shot(laptop, 'works, and says so')
      const spaceId = await spaceOf(page)
      const phone = await openElsewhere(stage, anna, { spaceId, chat: 'Diary' })
      await say(phone.page, 'From where it is')
      await message(page, 'From where it is').waitFor()
      // No session is left behind for the next user of this browser.
      expect(await laptop.context.cookies()).toEqual([])

      await page.reload()
      await ready(page)
      await signIn(page, anna)
      await openSpace(page, spaceId)
      await synced(page)
      await treeItem(page, { title: 'Diary' }).click()
      await expect.poll(() => messages(page)).toEqual(['Written where nothing is kept', 'From where it is'])
    },
  )
}

/** Fills the room that the browser gives this site, to the last kilobyte. */
async function fillDisk(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const settled = async (request: IDBRequest | IDBTransaction): Promise<boolean> =>
      await new Promise((resolve) => {
        for (const end of ['success', 'complete']) request.addEventListener(end, () => resolve(true))
        for (const end of ['error', 'abort']) request.addEventListener(end, () => resolve(false))
      })
    const opening = indexedDB.open('filler')
    opening.addEventListener('upgradeneeded', () => {
      opening.result.createObjectStore('noise', { autoIncrement: true })
    })
    await settled(opening)
    for (let size = 500_000; size >= 100; size /= 2) {
      for (let isTaken = true; isTaken;) {
        const transaction = opening.result.transaction('noise', 'readwrite')
        const noise = new Uint8Array(size)
        // Random, since Chromium compresses what it stores, and in pieces, as getRandomValues gives no more at once.
        for (let at = 0; at < size; at += 60_000) crypto.getRandomValues(noise.subarray(at, at + 60_000))
        transaction.objectStore('noise').add(noise)
        isTaken = await settled(transaction)
      }
    }
    opening.result.close()
  })
}

story('on a full device, someone who continues to write is warned and loses nothing', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  const devtools = await laptop.context.newCDPSession(page)
  // Before the first page, because Chromium remembers for half a minute how much room a site had.
  const { origin } = new URL(laptop.url)
  await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 6_000_000 })
  await openT69(page, laptop.url)
  await signUp(page, anna)
  await enableSync(page)
  await newChat(page, 'Diary')
  await say(page, 'While there is room')
  await synced(page)
  const phone = await openElsewhere(stage, anna, { spaceId: await spaceOf(page), chat: 'Diary' })
  const warning = page.getByTestId('unstored-warning')

  await fillDisk(page)
  await say(page, 'No room for this')
  await warning.waitFor()
  expect(await warning.innerText()).toMatch(/no more room.*may be lost if you close this page/)
  await say(page, 'Nor for this')
  await say(phone.page, 'From the other browser')
  await stage.shot(laptop, 'no room')
  const rows = JSON.stringify(await readStore(page, 'treeOps'))
  expect(rows).toContain('While there is room')
  expect(rows).not.toContain('or this')

  // The page noted what it could not store, so a reload finds it.
  await page.reload()
  for (const text of ['While there is room', 'No room for this', 'Nor for this'])
    await message(page, text).waitFor()
  await warning.waitFor()
  // It is connected, and says what is missing.
  await expect.poll(async () => (await status(page)).text).toMatch(/^Not synced: .*no more room/)
  await say(page, 'After a reload')
  await stage.shot(laptop, 'no room, reloaded')

  await devtools.send('Storage.overrideQuotaForOrigin', { origin })
  await warning.waitFor({ state: 'hidden' })
  await message(phone.page, 'After a reload').waitFor()
  await message(page, 'From the other browser').waitFor()
  await synced(page)
  await stage.shot(laptop, 'room again')
  await expect.poll(() => messages(phone.page)).toEqual(await messages(page))
  expect((await messages(page)).toSorted()).toEqual([
    'After a reload',
    'From the other browser',
    'No room for this',
    'Nor for this',
    'While there is room',
  ])
  await page.reload()
  await expect.poll(async () => (await messages(page)).length).toBe(5)
})
