import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  message,
  newChat,
  openT69,
  ready,
  say,
  signIn,
  signUp,
  synced,
} from '../lib/t69-page.ts'

const anna = accountOf('Anna')

story(
  'after the server has lost everything, whoever signs up again with the same address finds the way to their own work',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    laptop.expectErrors(/status of 40[149]|Failed to load resource|WebSocket connection/)
    await openT69(page, laptop.url)
    await signUp(page, anna)
    await enableSync(page)
    await newChat(page, 'Diary')
    await say(page, 'written before')
    await synced(page)

    // Accounts, spaces and the secret that would have told who is who.
    await stage.server.stop()
    const { dataDir } = stage.server
    for (const name of await readdir(dataDir)) await rm(join(dataDir, name), { recursive: true })
    await stage.server.start()
    await page.getByTestId('session-ended').waitFor()
    await expect.poll(() => message(page, 'written before').count()).toBe(0)

    await signUp(page, { ...anna, name: 'Anna again' })
    const dialog = page.getByTestId('lost-account-dialog')
    await dialog.waitFor()
    const question = await dialog.getByTestId('lost-account').textContent()
    expect(question).toContain(`“Anna” (${anna.email})`)
    expect(question).toContain(`“Anna again” (${anna.email})`)
    await stage.shot(laptop, 'asked')
    await dialog.getByTestId('take-over').click()
    await dialog.waitFor({ state: 'hidden' })
    await message(page, 'written before').waitFor()
    await synced(page)
    await stage.shot(laptop, 'taken over')

    const phone = await stage.device("Anna's phone")
    await openT69(phone.page, phone.url)
    await signIn(phone.page, anna)
    await ready(phone.page)
    await phone.page.getByTestId('tree-item').filter({ hasText: 'Diary' }).click()
    await message(phone.page, 'written before').waitFor()
    expect(await phone.page.getByTestId('lost-account-dialog').count()).toBe(0)
  },
)
