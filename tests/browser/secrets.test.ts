import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import { accountOf, newChat, openT69, reload, say, setUpProvider, synced } from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

// No server listens there.
const provider = 'http://127.0.0.1:9/v1'
const secret = 'sk-this-key-stays-in-the-browser-4711'

story('the key of an AI provider never leaves the browser', async (stage) => {
  const sent: (string | Buffer)[] = []
  const laptop = await openOwnSpace(stage, "Anna's laptop", accountOf('Anna'))
  const { page } = laptop
  page.on('request', (request) => {
    // Only requests to the provider itself may contain the key.
    if (request.url().startsWith(provider)) return
    sent.push(request.url(), request.postDataBuffer() ?? '', JSON.stringify(request.headers()))
  })
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(payload)))
  await openT69(page, laptop.url)
  await synced(page)

  await setUpProvider(page, {
    name: 'My own model',
    baseUrl: provider,
    model: 'small-model-2000',
    key: secret,
  })
  await stage.shot(laptop, 'a provider with a key')
  await page.getByTestId('close-dialog').click()
  laptop.expectErrors(/127\.0\.0\.1:9|ERR_/)
  await newChat(page, 'Ask')
  await say(page, 'Is anybody there?')
  await synced(page)
  await reload(page)
  await synced(page)

  // The provider is synced, which shows that `sent` and the files are the right ones to look at.
  const items = sent.map((item) => Buffer.from(item))
  expect(items.some((item) => item.includes('small-model-2000'))).toBe(true)
  const files = readdirSync(stage.server.dataDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)))
  expect(files.some((file) => file.includes('small-model-2000'))).toBe(true)

  expect(items.filter((item) => item.includes(secret))).toEqual([])
  expect(files.filter((file) => file.includes(secret))).toEqual([])
  expect(stage.server.log()).not.toContain(secret)
})
