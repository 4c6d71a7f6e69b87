import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import { openT69 } from '../lib/t69-page.ts'

/** The most that a first visit may load until its first screen is there, in bytes as they are compressed. */
const maxFirstLoadBytes = 198_000

story(
  'a first visit loads at most 198 kB, and the page itself asks for all that its first screen needs',
  async (stage) => {
    const phone = await stage.device("Anna's phone", {
      locale: 'ar-EG',
      viewport: { width: 390, height: 844 },
    })
    const { page } = phone
    const session = await phone.context.newCDPSession(page)
    await session.send('Network.enable')
    const urls = new Map<string, string>()
    const sizes = new Map<string, number>()
    /** The chunks that another chunk asked for: each costs a journey to the server and back. */
    const late: string[] = []
    session.on('Network.requestWillBeSent', ({ requestId, request, initiator }) => {
      urls.set(requestId, request.url)
      if (!request.url.includes('/assets/')) return
      if (initiator.type !== 'parser') late.push(request.url)
    })
    session.on('Network.responseReceived', ({ requestId, response }) =>
      sizes.set(urls.get(requestId) ?? '', Number(response.headers['content-length'])),
    )
    await openT69(page, phone.url)
    // The dialogs are loaded once the first screen is there, with what they need.
    const dialogs = late.findIndex((url) => url.includes('dialog-components'))
    const first = late
      .slice(0, dialogs < 0 ? late.length : dialogs)
      .filter((url) => !url.includes('texts.first.ar'))
    expect(first, 'add them to firstModules of apps/t69/first-load.ts').toEqual([])
    // That of the language is asked for by language.js, before the app's own script has come.
    expect(await page.locator('link[rel=modulepreload][href^="assets/"][href*=".ar."]').count()).toBe(1)
    expect([...sizes.keys()].filter((url) => url.includes('texts.first.'))).toHaveLength(1)
    expect([...sizes.values()]).not.toContain(Number.NaN)
    const total = [...sizes]
      .filter(([url]) => !late.slice(Math.max(0, dialogs)).includes(url) || url.includes('texts.first.ar'))
      .reduce((sum, [, size]) => sum + size, 0)
    expect(total, [...sizes].map(([url, size]) => `${size} ${url}`).join('\n')).toBeLessThan(
      maxFirstLoadBytes,
    )
  },
)

story('a dialog opens once what it says has come, and in no other language meanwhile', async (stage) => {
  // What a service worker asks for cannot be held back.
  const phone = await stage.device("Anna's phone", { locale: 'ar-EG', serviceWorkers: 'block' })
  const { page } = phone
  const released = Promise.withResolvers<void>()
  await page.route('**/texts.later.*', async (route) => {
    await released.promise
    await route.continue()
  })
  const asked = page.waitForRequest('**/texts.later.ar.*')
  await openT69(page, phone.url)
  await asked
  await page.getByTestId('settings').click()
  await page.waitForFunction(() =>
    performance.getEntriesByType('resource').some(({ name }) => name.includes('dialog-components')),
  )
  // What has come could be shown by now.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)))
  expect(await page.getByTestId('settings-dialog').count()).toBe(0)
  released.resolve()
  const heading = page.getByTestId('settings-dialog').getByRole('heading', { level: 2 })
  await heading.first().waitFor()
  expect(await heading.first().textContent()).toMatch(/^\p{Script=Arabic}/u)
})
