import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import { openT69, ready, say } from '../lib/t69-page.ts'

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

      await page.reload()
      await ready(page)
      await say(page, 'On another visit')
      await expect.poll(() => timesAsked(page)).toBe(1)
    },
  )
}
