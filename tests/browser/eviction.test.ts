import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import { openT69, ready, reload, say } from '../lib/t69-page.ts'

/** Browsers delete what sites have stored when a disk runs full, unless they were asked not to. */

/** Answers for the browser, and counts in `asked` how often the page asked. */
function browserAnswers(answer: boolean): void {
  Object.assign(globalThis, { asked: 0 })
  navigator.storage.persist = async () => {
    Object.assign(globalThis, { asked: Reflect.get(globalThis, 'asked') + 1 })
    return answer
  }
}

const timesAsked = (page: Page): Promise<unknown> => page.evaluate(() => Reflect.get(globalThis, 'asked'))

for (const [answer, sentence] of [
  [true, 'The browser keeps what is on this device'],
  [false, 'The browser may delete what is on this device'],
] as const) {
  story(
    `the browser is asked once a visit to keep what was written, and ${answer ? 'agrees' : 'refuses'}`,
    async (stage) => {
      const laptop = await stage.device("Anna's laptop")
      const { page } = laptop
      await page.addInitScript(browserAnswers, answer)
      await openT69(page, laptop.url)
      await page.getByTestId('sync-status').click()
      await page.getByTestId('sync-panel').waitFor()
      expect(await page.getByTestId('eviction').count()).toBe(0)
      await page.getByTestId('close-dialog').click()
      expect(await timesAsked(page)).toBe(0)

      await say(page, 'Something to lose')
      await page.getByTestId('sync-status').click()
      await page.getByTestId('eviction').waitFor()
      expect(await page.getByTestId('eviction').innerText()).toContain(sentence)
      await page.getByTestId('close-dialog').click()
      await say(page, 'And more of it')
      expect(await timesAsked(page)).toBe(1)

      await reload(page)
      await ready(page)
      await say(page, 'On another visit')
      await expect.poll(() => timesAsked(page)).toBe(1)
    },
  )
}

story(
  'who has written a few things that are only in this browser is told so, and offered a second copy',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    await page.addInitScript(browserAnswers, false)
    await openT69(page, laptop.url)
    const notice = page.getByTestId('only-here')
    await say(page, 'One')
    await say(page, 'Two')
    expect(await notice.count()).toBe(0)
    await say(page, 'Three')
    await notice.waitFor()
    await stage.shot(laptop, 'only here')
    const downloading = page.waitForEvent('download')
    await page.getByTestId('only-here-export').click()
    await page.getByTestId('export-space').click()
    await (await downloading).delete()
    await notice.waitFor({ state: 'detached' })

    await reload(page)
    await ready(page)
    for (const text of ['Four', 'Five', 'Six']) await say(page, text)
    expect(await notice.count()).toBe(0)
  },
)

story('nobody is told so whose browser keeps what they write', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await page.addInitScript(browserAnswers, true)
  await openT69(page, laptop.url)
  for (const text of ['One', 'Two', 'Three', 'Four']) await say(page, text)
  await expect.poll(() => timesAsked(page)).toBe(1)
  expect(await page.getByTestId('only-here').count()).toBe(0)
})
