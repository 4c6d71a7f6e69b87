import { expect, test } from 'vitest'

import { launchChromium } from '../lib/chromium.ts'
import { createDevice } from '../lib/device.ts'
import {
  accountOf,
  enableSync,
  invite,
  joinAs,
  message,
  newChat,
  openT69,
  reload,
  say,
  signUp,
  synced,
  treeItem,
} from '../lib/t69-page.ts'

/** Where a new deployment answers, such as the image that `deploy/build-image.sh` has started. */
const url = process.env['T69_URL']

test('in a new deployment the first person signs up, invites another, and both write', async (context) => {
  if (url === undefined) return context.skip('T69_URL is not set: deploy/build-image.sh has an image to try')
  await using browser = await launchChromium()
  const laptop = await createDevice(browser, { name: "Anna's laptop", serverUrl: url })
  const phone = await createDevice(browser, { name: "Ben's phone", serverUrl: url })

  await openT69(laptop.page, laptop.url)
  await signUp(laptop.page, accountOf('Anna'))
  await enableSync(laptop.page)
  await newChat(laptop.page, 'Diary')
  await say(laptop.page, 'Bread')
  await synced(laptop.page)

  const link = await invite(laptop.page, 'editor')
  await openT69(phone.page, new URL(new URL(link).pathname, phone.url).href)
  await joinAs(phone.page, accountOf('Ben'))
  await treeItem(phone.page, { title: 'Diary' }).click()
  await message(phone.page, 'Bread').waitFor()
  await say(phone.page, 'And butter')
  await message(laptop.page, 'And butter').waitFor()

  await laptop.goOffline()
  await reload(laptop.page)
  await message(laptop.page, 'And butter').waitFor()
  for (const device of [laptop, phone]) {
    expect(device.unexpectedErrors()).toEqual([])
    await device.close()
  }
})
