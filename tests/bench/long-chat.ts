import { createSyncClient, memoryStorage } from '@t69/sync-client'
import type { BrowserContext, Page } from 'playwright-core'

import { launchChromium } from '../lib/chromium.ts'
import { startServer } from '../lib/server-process.ts'
import { accountOf, openT69, signIn, synced } from '../lib/t69-page.ts'

/**
 * How the app feels with much in it, in Chromium, in ms:
 *
 * - typing into a chat of 3,000 messages, one of 30, and an empty page beside them: from a key to the next frame,
 * - turning the wheel in the two chats: frames that came late,
 * - opening a space of 100,000 operations that are on the device: until its sidebar and its chat of 12,500 messages are
 *   there, and the tasks of 50 ms and more.
 *
 *     pnpm build && node --conditions=source tests/bench/long-chat.ts [rounds]
 */

const rounds = Number(process.argv[2] ?? 3)
/** Messages of each chat. A message is eight operations. */
const chats = { short: 30, long: 3_000, huge: 12_500 }
/** A frame that is this late was missed, in ms. */
const lateMs = 25

await using server = await startServer({
  env: {
    OPERATIONS_PER_SECOND_AND_USER: '100000000',
    REQUEST_LIMIT_PER_ADDRESS: '1000000',
    REQUEST_LIMIT_PER_USER: '1000000',
  },
})
const anna = accountOf('Anna')
const { spaceId, chatIds } = await write()
await using browser = await launchChromium()

const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, locale: 'en-GB' })
context.setDefaultTimeout(120_000)
await noteTasks(context)
const page = await context.newPage()
await openT69(page, server.url)
await signIn(page, anna)
await show(page, 'huge')
await synced(page)

const typed: Record<string, number[]> = { 'an empty page': [], short: [], long: [] }
const scrolled: Record<string, { late: number; all: number }> = {}
for (let round = 0; round < rounds; round++) {
  const idle = await context.newPage()
  await idle.goto(`${server.url}/manifest.webmanifest`)
  await idle.evaluate(() => {
    document.body.innerHTML = '<textarea data-testid="composer"></textarea>'
  })
  typed['an empty page']?.push(...(await type(idle)))
  await idle.close()
  for (const chat of ['short', 'long'] as const) {
    await show(page, chat)
    typed[chat]?.push(...(await type(page)))
    const { late, all } = await scroll(page)
    const before = scrolled[chat] ?? { late: 0, all: 0 }
    scrolled[chat] = { late: before.late + late, all: before.all + all }
  }
}
await page.close()

const starts: Record<string, number | string>[] = []
for (let round = 0; round < rounds; round++) {
  const started = await context.newPage()
  await started.goto(`${server.url}/#${spaceId}/${chatIds.huge}`)
  await started
    .locator(`[data-testid=chat][data-count="${chats.huge}"] [data-testid=message]`)
    .last()
    .waitFor()
  await synced(started)
  starts.push(await started.evaluate(() => Reflect.get(globalThis, 'noted')()))
  await started.close()
}

console.log('From a key to the next frame, in ms')
console.table(
  Object.fromEntries(
    Object.entries(typed).map(([name, values]) => [
      name,
      { median: quantile(values, 0.5), '95 %': quantile(values, 0.95), most: quantile(values, 1) },
    ]),
  ),
)
console.log('Frames that came late while the wheel turned')
console.table(scrolled)
console.log('A start with 100,000 operations on the device, in ms')
console.table(starts)

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return Number((sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN).toFixed(1))
}

/** Shows a chat of the space, with its newest messages. */
async function show(shown: Page, chat: keyof typeof chats): Promise<void> {
  await shown.goto(`${server.url}/#${spaceId}/${chatIds[chat]}`)
  await shown
    .locator(`[data-testid=chat][data-count="${chats[chat]}"] [data-testid=message]`)
    .last()
    .waitFor()
}

/** Types a sentence, a key at a time. */
async function type(typing: Page): Promise<number[]> {
  await typing.getByTestId('composer').click()
  await typing.evaluate(() => {
    const times: number[] = []
    Reflect.set(globalThis, 'times', times)
    // The frame after the one that shows it is the first moment at which it is known to be on screen.
    addEventListener('keydown', ({ timeStamp }) =>
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel()
        port1.addEventListener('message', () => times.push(performance.now() - timeStamp))
        port1.start()
        port2.postMessage(null)
      }),
    )
  })
  await typing.keyboard.type('What a quick brown fox says to the lazy dog', { delay: 60 })
  const times = await typing.evaluate(() => Reflect.get(globalThis, 'times') as unknown as number[])
  await typing.getByTestId('composer').fill('')
  return times
}

/** Turns the wheel upwards. */
async function scroll(scrolling: Page): Promise<{ late: number; all: number }> {
  await scrolling.mouse.move(700, 400)
  await scrolling.evaluate(() => {
    const frames: number[] = []
    Reflect.set(globalThis, 'frames', frames)
    let before = performance.now()
    const next = (now: number): void => {
      frames.push(now - before)
      before = now
      requestAnimationFrame(next)
    }
    requestAnimationFrame(next)
  })
  for (let turn = 0; turn < 60; turn++) await scrolling.mouse.wheel(0, -120)
  const frames = await scrolling.evaluate(() => Reflect.get(globalThis, 'frames') as unknown as number[])
  return { late: frames.filter((ms) => ms > lateMs).length, all: frames.length }
}

/** Has every page note its long tasks, and when there was something to use. */
async function noteTasks(of: BrowserContext): Promise<void> {
  await of.addInitScript(() => {
    const tasks: string[] = []
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries())
        tasks.push(`${Math.round(duration)} (at ${Math.round(startTime)})`)
    }).observe({ type: 'longtask', buffered: true })
    const seen: Record<string, number> = {}
    const marks = {
      sidebar: '[data-testid=tree-item]',
      'first message': '[data-testid=message]',
    }
    addEventListener('DOMContentLoaded', () => {
      const look = (): void => {
        for (const [name, selector] of Object.entries(marks))
          if (seen[name] === undefined && document.querySelector(selector) !== null)
            seen[name] = Math.round(performance.now())
        if (Object.keys(seen).length < Object.keys(marks).length) requestAnimationFrame(look)
      }
      look()
    })
    Reflect.set(globalThis, 'noted', () => ({ ...seen, 'long tasks': tasks.join(', ') || 'none' }))
  })
}

/** Writes the space, past the app. */
async function write(): Promise<{ spaceId: string; chatIds: Record<keyof typeof chats, string> }> {
  await using client = createSyncClient({ url: server.url, storage: memoryStorage() })
  await client.signUp(anna)
  const space = await client.createSpace({ name: 'Much' })
  const root = await space.loaded()
  const forest = root.newNamedChild('app-forest')
  const chatIds = { short: '', long: '', huge: '' }
  for (const name of ['short', 'long', 'huge'] as const) {
    const tree = await space.createTree()
    const chat = await space.loaded({ treeId: space.treeIdOf(tree) })
    chatIds[name] = chat.id
    forest.newChild({ title: name, tid: chatIds[name], createdAt: 1 })
    let last = chat.newNamedChild('messages')
    for (let index = 1; index <= chats[name]; index++)
      last = last.newNamedChild('message', {
        role: index % 2 === 0 ? 'assistant' : 'user',
        text: `Message ${index} of many.\n\n${'Some **words** of it. '.repeat(index % 13)}`,
        createdAt: index,
        author: index % 2 === 0 ? 'small' : 'Anna',
        model: 'small',
      })
    await space.flushed()
  }
  return { spaceId: space.id, chatIds }
}
