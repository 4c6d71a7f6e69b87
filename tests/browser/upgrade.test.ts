import { createRequire } from 'node:module'

import { seedT69V2, type SeededSpace } from '@t69/sync-client/testing/seed-t69-v2'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { readStore } from '../lib/local-db.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  message,
  messages,
  openSpace,
  openT69,
  ready,
  signIn,
  signUp,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { openElsewhere } from '../lib/tabs-of.ts'

/** Fills the browser's database as t69 did in June 2025. Today's app has not been opened yet. */
async function seed(page: Page, url: string): Promise<readonly SeededSpace[]> {
  // Any page of the origin that is not the app.
  await page.goto(`${url}/health`)
  return await page.evaluate(seedT69V2, undefined)
}

async function findsAll(page: Page, space: SeededSpace): Promise<void> {
  for (const chat of space.chats) {
    await treeItem(page, { title: chat.title }).click()
    await expect.poll(async () => (await messages(page)).length).toBe(chat.messages.length)
    const shown = (await messages(page)).map(letters)
    expect(shown).toEqual(chat.messages.map(({ text }) => letters(text)))
  }
}

/** The words of a text alone: the app shows lists, whose numbers are no text then, and code in their own form. */
function letters(text: string): string {
  return text
    .replaceAll(/^\d+\. /gm, '')
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
}

story('everything in a localDb of June 2025 is shown, here and in a second browser', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  // The page that seeds the database has no icon.
  laptop.expectErrors(/favicon/)
  const spaces = await seed(page, laptop.url)
  const home = spaces[0]!
  await openT69(page, laptop.url)
  await stage.shot(laptop, 'opened for the first time')

  for (const space of spaces) {
    await openSpace(page, space.id)
    await findsAll(page, space)
  }
  // Secrets, drafts and theme, which do not sync, are still there. The layout has the chats that were opened since.
  const secrets = spaces.flatMap(({ id, secrets: keys }) =>
    Object.entries(keys).map(([key, value]) => ({ spaceId: id, key, value })),
  )
  expect(await readStore(page, 'secrets')).toEqual(expect.arrayContaining(secrets))
  const rows = await readStore(page, 'spaces')
  for (const { id, name, theme, drafts } of spaces) {
    const row = rows.find((stored) => stored['id'] === id)
    expect(row).toMatchObject({ name, theme })
    if (drafts !== null) expect(row?.['drafts']).toMatchObject(drafts)
  }

  const anna = accountOf('Anna')
  await signUp(page, anna)
  for (const space of spaces) {
    await openSpace(page, space.id)
    await enableSync(page)
  }
  await stage.shot(laptop, 'both spaces synced')

  const second = await stage.device("Anna's second browser")
  await openT69(second.page, second.url)
  await signIn(second.page, anna)
  for (const space of spaces) {
    await openSpace(second.page, space.id)
    await synced(second.page)
    await findsAll(second.page, space)
  }
  await stage.shot(second, 'the spaces of June 2025')
  const stored = await readStore(second.page, 'secrets')
  expect(stored.filter(({ spaceId }) => spaceId === home.id)).toEqual([])
})

/** Runs in a page: changes the text of a message as t69 did in June 2025, through Dexie 4 at version 2. */
async function editInJune(edit: {
  spaceId: string
  treeId: string
  targetId: string
  clock: number
  text: string
}): Promise<void> {
  const { text, ...row } = edit
  const { Dexie } = globalThis as unknown as { Dexie: new (name: string) => JuneDb }
  const db = new Dexie('localDb')
  db.version(2).stores({
    spaces: '&id, uri, name, createdAt, userId',
    config: '&key',
    treeOps: '&[clock+peerId+treeId+spaceId], spaceId, treeId, [spaceId+treeId], [spaceId+treeId+clock]',
    secrets: '&[spaceId+key], spaceId',
  })
  await db.table('treeOps').bulkPut([{ ...row, peerId: 'a-peer-of-june', key: 'text', value: text }])
}

interface JuneDb {
  version(number: number): { stores(schema: Record<string, string>): void }
  table(name: string): { bulkPut(rows: object[]): Promise<unknown> }
}

story('edits in a June 2025 tab that stays open during the upgrade are synced', async (stage) => {
  // The old t69 runs in a page of the server, as a script that the server's policy does not allow.
  const laptop = await stage.device("Anna's laptop", { bypassCSP: true })
  laptop.expectErrors(/favicon/)
  const june = laptop.page
  const [home] = await seed(june, laptop.url)
  const chat = home!.chats[0]!
  await june.addScriptTag({ path: createRequire(import.meta.url).resolve('dexie/dist/dexie.min.js') })
  const rows = await readStore(june, 'treeOps')
  const { targetId } = rows.find(({ value }) => value === chat.messages[0]!.text)!
  const where = { spaceId: home!.id, treeId: chat.treeId, targetId: String(targetId) }
  await june.evaluate(editInJune, { ...where, clock: 1_000, text: 'Before the upgrade' })

  const page = await laptop.newTab()
  const anna = accountOf('Anna')
  await ready(page)
  await openSpace(page, home!.id)
  await signUp(page, anna)
  await enableSync(page)
  await treeItem(page, { title: chat.title }).click()
  await message(page, 'Before the upgrade').waitFor()
  const phone = await openElsewhere(stage, anna, { spaceId: home!.id, chat: chat.title })
  await message(phone.page, 'Before the upgrade').waitFor()

  await june.evaluate(editInJune, { ...where, clock: 1_001, text: 'After the upgrade' })
  // The user turns from the old tab to the new one.
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  await message(page, 'After the upgrade').waitFor()
  await message(phone.page, 'After the upgrade').waitFor()
  await synced(page)
  await stage.shot(phone, 'what the old tab wrote')
  expect(await messages(phone.page)).toHaveLength(chat.messages.length)
})

story('a tab that blocks the upgrade is reported, and nothing is lost once it is closed', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  laptop.expectErrors(/favicon/)
  const holder = laptop.page
  const [home] = await seed(holder, laptop.url)
  await holder.evaluate(async () => {
    const request = indexedDB.open('localDb')
    await new Promise((resolve) => request.addEventListener('success', resolve))
  })
  const page = await laptop.context.newPage()
  await page.goto(laptop.url)
  await expect.poll(() => page.getByTestId('notice').innerText()).toMatch(/Close that tab to continue here/)
  await holder.close()
  await ready(page)
  await openSpace(page, home!.id)
  await findsAll(page, home!)
  await expect.poll(() => page.getByTestId('notice').count()).toBe(0)
})
