import { seedT69V2, type SeededSpace } from '@t69/sync-client/testing/seed-t69-v2'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { readStore } from '../lib/local-db.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  messages,
  openSpace,
  openT69,
  signIn,
  signUp,
  synced,
  treeItem,
} from '../lib/t69-page.ts'

/** A browser in which somebody used t69 in June 2025, with today's app not opened yet. */
async function seed(page: Page, url: string): Promise<readonly SeededSpace[]> {
  // Any page of the origin that is not the app.
  await page.goto(`${url}/health`)
  return await page.evaluate(seedT69V2, undefined)
}

async function findsAll(page: Page, space: SeededSpace): Promise<void> {
  for (const chat of space.chats) {
    await treeItem(page, { title: chat.title }).click()
    await expect
      .poll(async () => (await messages(page)).length, { timeout: 10_000 })
      .toBe(chat.messages.length)
    const shown = (await messages(page)).map(letters)
    expect(shown).toEqual(chat.messages.map(({ text }) => letters(text)))
  }
}

/** The app may show a text's lists and code as such; the words are what must be there. */
function letters(text: string): string {
  return text.replaceAll(/[^\p{L}\p{N}]+/gu, ' ').trim()
}

story(
  'a browser with the localDb of June 2025 finds everything, here and on a second browser',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    // The page that the seed is sown from has no icon.
    laptop.expectErrors(/favicon/)
    const spaces = await seed(page, laptop.url)
    const home = spaces[0]!
    await openT69(page, laptop.url)
    await stage.shot(laptop, 'opened for the first time')

    for (const space of spaces) {
      await openSpace(page, space.id)
      await findsAll(page, space)
    }
    // What does not sync is still where it was: the secrets, the drafts, the layout, the theme.
    const secrets = spaces.flatMap(({ id, secrets: keys }) =>
      Object.entries(keys).map(([key, value]) => ({ spaceId: id, key, value })),
    )
    expect(await readStore(page, 'secrets')).toEqual(expect.arrayContaining(secrets))
    const rows = await readStore(page, 'spaces')
    for (const { id, name, ttabsLayout, theme, drafts } of spaces) {
      const row = rows.find((stored) => stored['id'] === id)
      expect(row).toMatchObject({ name, ttabsLayout, theme })
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
  },
)
