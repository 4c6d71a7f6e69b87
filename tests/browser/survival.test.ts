import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect } from 'vitest'

import { killBrowser, launchProfile } from '../lib/chromium.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  message,
  messages,
  newChat,
  openSpace,
  openT69,
  ready,
  say,
  signIn,
  spaceOf,
  status,
  stored,
  synced,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')
const lines = ['One', 'Two', 'Three', 'Four', 'Five']

story('a message on screen is there after an immediate reload', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(laptop.page, 'Diary')
  for (const line of lines) {
    await say(laptop.page, line)
    await laptop.page.reload()
    await message(laptop.page, line).waitFor()
  }
  expect(await messages(laptop.page)).toEqual(lines)
  await synced(laptop.page)
  await stage.shot(laptop, 'after five reloads')
})

story('a message on screen is there after its tab is killed a frame later', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(laptop.page, 'Diary')
  for (const line of lines) {
    const before = await status(laptop.page)
    await say(laptop.page, line)
    // One frame later, not in the frame that shows the message: in that one, nothing is stored yet.
    await stored(laptop.page, before)
    await laptop.killTab()
    await message(laptop.page, line).waitFor()
  }
  expect(await messages(laptop.page)).toEqual(lines)
  await synced(laptop.page)
  await stage.shot(laptop, 'after five killed tabs')
})

story('a server killed at any moment has everything that was shown as synced', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  laptop.expectLostConnections()
  await newChat(laptop.page, 'Diary')
  for (const line of lines) {
    await say(laptop.page, line)
    await synced(laptop.page)
    await say(laptop.page, `${line}, at the same moment`)
    await stage.server.kill()
    await stage.server.start()
    await laptop.lookAgain()
  }
  await synced(laptop.page)
  await stage.shot(laptop, 'after five killed servers')
  const written = await messages(laptop.page)
  expect(written).toEqual(lines.flatMap((line) => [line, `${line}, at the same moment`]))

  // A new browser finds all of it on the server.
  const spaceId = await spaceOf(laptop.page)
  const other = await stage.device("Anna's other browser")
  await openT69(other.page, other.url)
  await signIn(other.page, anna)
  await openSpace(other.page, spaceId)
  await treeItem(other.page, { title: 'Diary' }).click()
  await expect.poll(() => messages(other.page)).toEqual(written)
})

story('messages on screen are there after the browser process is killed', async (stage) => {
  const profile = await mkdtemp(join(tmpdir(), 't69-profile-'))
  try {
    const first = await launchProfile(profile)
    const page = await first.newPage()
    await openT69(page, stage.server.url)
    await newChat(page, 'Diary')
    for (const line of lines) await say(page, line)
    const rows = await treeRows(page)
    // A frame after it was shown.
    await page.evaluate(
      () =>
        new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
    )
    await killBrowser(first)

    const second = await launchProfile(profile)
    const again = await second.newPage()
    await openT69(again, stage.server.url)
    await expect.poll(() => messages(again)).toEqual(lines)
    expect(await treeRows(again)).toEqual(rows)
    await second.close()
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
})

story(
  'two tabs of one browser show each other’s messages, and one continues when the other closes',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    await newChat(laptop.page, 'Diary')
    await say(laptop.page, 'From the first tab')
    const second = await laptop.newTab(new URL(laptop.page.url()).pathname + new URL(laptop.page.url()).hash)
    await ready(second)
    await message(second, 'From the first tab').waitFor()
    await say(second, 'From the second tab')
    await message(laptop.page, 'From the second tab').waitFor()
    await laptop.page.close()
    await say(second, 'Alone now')
    await synced(second)
  },
)
