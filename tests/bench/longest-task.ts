import type { BrowserContext, Page } from 'playwright-core'

/** Has every page of the context note its longest task: how long it did not answer. For before the first page is opened. */
export async function noteLongTasks(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    new PerformanceObserver((list) => {
      const { dataset } = document.documentElement
      for (const { duration } of list.getEntries()) {
        dataset['longest'] = String(Math.max(duration, Number(dataset['longest'] ?? 0)))
      }
    }).observe({ type: 'longtask', buffered: true })
  })
}

/** The longest task since the last call, in ms. Chromium counts those of 50 ms and more; 0 if there was none. */
export async function longestTask(page: Page): Promise<number> {
  return await page.evaluate(() => {
    const { dataset } = document.documentElement
    const longest = Math.round(Number(dataset['longest'] ?? 0))
    delete dataset['longest']
    return longest
  })
}
