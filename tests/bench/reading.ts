import { launchChromium } from '../lib/chromium.ts'
import { createDevice } from '../lib/device.ts'
import { startFakeProvider } from '../lib/fake-provider.ts'
import { startServer } from '../lib/server-process.ts'
import { openT69, say, setUpProvider } from '../lib/t69-page.ts'

/**
 * How smoothly a reply streams: 150 kB of Markdown with lists, tables, code and formulas, 3 kB every 50 ms, into a page
 * of the built app. Prints, for each fifth of the reply, how many frames came later than 1/60 s and how long the longest
 * took, the tasks above 50 ms, and what the page's thread spent for each kB, as time of the processor, which a busy
 * machine changes least:
 *
 *     pnpm build && node --conditions=source tests/bench/reading.ts
 */

const length = 150_000
const pieceLength = 3_000
const everyMs = 50
/** A frame that is this late was missed, in ms. */
const lateMs = 25

const fence = '```'
const part = (index: number): string => `## Part ${index}

Some **bold** words and \`code\`, a [link](https://example.org/) and $x_{${index}}^2$. ${'More words of it. '.repeat(20)}

- one
- two
- three

${fence}ts
export function part(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, ${index})
}
${fence}

| Name | Value |
| --- | ---: |
| a | ${index} |
| b | 2 |

`
let written = ''
for (let index = 0; written.length < length; index++) written += part(index)

await using server = await startServer()
await using browser = await launchChromium()
using provider = await startFakeProvider()
const device = await createDevice(browser, { name: 'bench', serverUrl: server.url })
const { page } = device
await openT69(page, device.url)
await setUpProvider(page, { name: 'Home', model: 'small', key: 'k', baseUrl: provider.baseUrl })
await page.getByTestId('close-dialog').click()
await say(page, 'Go on')
// So that everything is loaded that the reply needs.
await provider.stream(part(0))
await page.locator('.katex').first().waitFor()
await page.locator('pre .keyword').first().waitFor()

await page.evaluate(() => {
  const frames: number[] = []
  const tasks: number[] = []
  Object.assign(window, { frames, tasks })
  let before = performance.now()
  const next = (now: number): void => {
    frames.push(now - before)
    before = now
    requestAnimationFrame(next)
  }
  requestAnimationFrame(next)
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe(
    {
      entryTypes: ['longtask'],
    },
  )
})
const processor = await page.context().newCDPSession(page)
await processor.send('Performance.enable', { timeDomain: 'threadTicks' })
/** What the page's thread spent so far, in ms. */
async function spent(): Promise<{ all: number; style: number; layout: number }> {
  const { metrics } = await processor.send('Performance.getMetrics')
  const ms = (name: string): number => (metrics.find((metric) => metric.name === name)?.value ?? 0) * 1_000
  return { all: ms('TaskDuration'), style: ms('RecalcStyleDuration'), layout: ms('LayoutDuration') }
}
const measured = () =>
  page.evaluate(() => {
    const take = (key: string): number[] => (Reflect.get(window, key) as number[]).splice(0)
    return { frames: take('frames'), tasks: take('tasks') }
  })

const fifth = Math.ceil(written.length / 5 / pieceLength)
const pieces = Array.from({ length: Math.ceil(written.length / pieceLength) }, (_, index) =>
  written.slice(index * pieceLength, (index + 1) * pieceLength),
)
await measured()
let before = await spent()
let fromIndex = 0
for (const [index, piece] of pieces.entries()) {
  await provider.stream(piece)
  await new Promise((resolve) => setTimeout(resolve, everyMs))
  if ((index + 1) % fifth === 0 || index === pieces.length - 1) {
    const { frames, tasks } = await measured()
    const late = frames.filter((ms) => ms > lateMs).length
    const longest = Math.max(0, ...frames).toFixed(0)
    const long = tasks.map((ms) => ms.toFixed(0)).join(' ')
    const now = await spent()
    const eachKb = (key: keyof typeof now): string =>
      ((now[key] - before[key]) / (((index + 1 - fromIndex) * pieceLength) / 1_000)).toFixed(1)
    const each = `${eachKb('all')} ms for each kB (style ${eachKb('style')}, layout ${eachKb('layout')})`
    before = now
    fromIndex = index + 1
    const done = `${Math.round(((index + 1) * pieceLength) / 1_000)} kB`
    console.log(
      `${done}: ${late} of ${frames.length} frames late, the longest ${longest} ms; long tasks: ${long || 'none'}; ${each}`,
    )
  }
}
provider.finish()
await page.locator('[data-testid=message][data-role=assistant]:not([data-streaming=true])').waitFor()
const { tasks } = await measured()
console.log(`the end: long tasks: ${tasks.map((ms) => ms.toFixed(0)).join(' ') || 'none'}`)
await device.close()
