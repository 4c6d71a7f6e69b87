import { expect, vi } from 'vitest'

import type { Device } from '../lib/device.ts'
import { story, type Stage } from '../lib/story.ts'
import {
  accountOf,
  invite,
  message,
  messages,
  newChat,
  newFolder,
  renameItem,
  say,
  status,
  synced,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

/** Anna and Ben in the same chat, both live. */
async function together(stage: Stage): Promise<{ laptop: Device; phone: Device }> {
  const laptop = await openOwnSpace(stage, "Anna's laptop", accountOf('Anna'))
  await newChat(laptop.page, 'Shopping')
  await say(laptop.page, 'Bread')
  const phone = await acceptInvite(
    stage,
    "Ben's phone",
    accountOf('Ben'),
    await invite(laptop.page, 'editor'),
  )
  await treeItem(phone.page, { title: 'Shopping' }).click()
  await message(phone.page, 'Bread').waitFor()
  return { laptop, phone }
}

/** Waits until both show the same tree and chat, with no edits waiting. */
async function agree(laptop: Device, phone: Device): Promise<void> {
  await synced(laptop.page)
  await synced(phone.page)
  // Either may take a moment to show what it has.
  await vi.waitFor(
    async () => {
      expect(await treeRows(phone.page)).toEqual(await treeRows(laptop.page))
      expect(await messages(phone.page)).toEqual(await messages(laptop.page))
    },
    { timeout: 45_000 },
  )
}

/** Each writes and adds folders that the other does not get yet. */
async function goOnApart(laptop: Device, phone: Device): Promise<void> {
  await say(phone.page, 'Milk, from the train')
  await newFolder(phone.page, 'Errands')
  await renameItem(phone.page, treeItem(phone.page, { title: 'Shopping' }), 'Shopping on Friday')
  await say(laptop.page, 'Butter, from home')
  await newFolder(laptop.page, 'Family')
  await expect.poll(async () => (await status(phone.page)).pending).toBeGreaterThan(5)
}

story('two devices that edit while one is offline show the same afterwards', async (stage) => {
  const { laptop, phone } = await together(stage)
  await phone.goOffline()
  await phone.page.locator('[data-testid=sync-status][data-phase=offline]').waitFor()
  await goOnApart(laptop, phone)
  const { pending, text } = await status(phone.page)
  expect(text).toContain(String(pending))
  await stage.shot(phone, 'edits wait')
  await synced(laptop.page)
  expect(await message(laptop.page, 'Milk, from the train').count()).toBe(0)

  await phone.goOnline()
  await agree(laptop, phone)
  expect((await messages(phone.page)).toSorted()).toEqual([
    'Bread',
    'Butter, from home',
    'Milk, from the train',
  ])
  expect(await treeRows(laptop.page)).toEqual(
    expect.arrayContaining(['Errands', 'Family', 'Shopping on Friday']),
  )
  await stage.shot(phone, 'together again')
  await stage.shot(laptop, 'together again')
})

story('edits made offline survive a reload while still offline, and are sent later', async (stage) => {
  const { laptop, phone } = await together(stage)
  await phone.page.evaluate(() => navigator.serviceWorker.ready.then(() => null))
  await phone.goOffline()
  await goOnApart(laptop, phone)
  const rows = await treeRows(phone.page)
  const written = await messages(phone.page)
  const { pending } = await status(phone.page)
  await phone.page.reload()
  await expect.poll(() => treeRows(phone.page)).toEqual(rows)
  await expect.poll(() => messages(phone.page)).toEqual(written)
  await expect.poll(async () => (await status(phone.page)).pending).toBe(pending)
  await stage.shot(phone, 'reloaded offline')
  await phone.goOnline()
  await agree(laptop, phone)
})

story('a connection that stalls delays edits, and loses none', async (stage) => {
  const { laptop, phone } = await together(stage)
  phone.stall()
  await goOnApart(laptop, phone)
  await stage.shot(phone, 'stalled')
  await phone.goOnline()
  await agree(laptop, phone)
})

story('edits that wait are told in words once they wait for a second', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", accountOf('Anna'))
  const { page } = laptop
  // For how long edits had been waiting whenever the words said so, in ms.
  const told = await page.getByTestId('sync-status').evaluateHandle((button) => {
    const waits: number[] = []
    let since = Infinity
    new MutationObserver(() => {
      if (button.getAttribute('data-pending') === '0') since = Infinity
      else since = Math.min(since, performance.now())
      if (/waiting/.test(button.textContent ?? '')) waits.push(performance.now() - since)
    }).observe(button, { attributes: true, childList: true, subtree: true, characterData: true })
    return waits
  })
  for (const text of ['One', 'Two', 'Three']) await say(page, text)
  await synced(page)
  laptop.stall()
  await say(page, 'Four')
  await expect.poll(async () => (await status(page)).text).toContain('waiting')
  const waits = await told.jsonValue()
  expect(waits.length).toBeGreaterThan(0)
  expect(Math.min(...waits)).toBeGreaterThan(900)
})

story('two devices that edit while the server is down show the same once it is back', async (stage) => {
  const { laptop, phone } = await together(stage)
  for (const device of [laptop, phone]) device.expectLostConnections()
  await stage.server.kill()
  await laptop.page.locator('[data-testid=sync-status][data-phase=offline]').waitFor()
  await goOnApart(laptop, phone)
  await expect.poll(async () => (await status(laptop.page)).pending).toBeGreaterThan(0)
  await stage.shot(laptop, 'no server')
  await stage.server.start()
  await agree(laptop, phone)
  expect((await messages(phone.page)).toSorted()).toEqual([
    'Bread',
    'Butter, from home',
    'Milk, from the train',
  ])
})

story('edits go both ways through a proxy that blocks WebSockets, also after a restart', async (stage) => {
  const { laptop, phone } = await together(stage)
  laptop.blockWebSockets()
  for (const device of [laptop, phone]) device.expectLostConnections()
  for (const line of ['Cheese', 'Apples']) {
    await stage.server.stop()
    await stage.server.start()
    await say(laptop.page, line)
    await message(phone.page, line).waitFor()
    await say(phone.page, `${line} it is`)
    await message(laptop.page, `${line} it is`).waitFor()
  }
  await agree(laptop, phone)
})
