import { setTimeout as delay } from 'node:timers/promises'

import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import type { Device } from './device.ts'
import { transactionsOver } from './local-db.ts'
import type { Stage } from './story.ts'
import {
  message,
  openSpace,
  openT69,
  ready,
  showSidebar,
  signIn,
  status,
  synced,
  treeItem,
  type Account,
} from './t69-page.ts'

/** How long an edit takes to another tab at most: less than the 10 s after which a tab asks by itself. */
export const moment = { timeout: 9_000 }

/** The tabs of one browser, all in the same chat. Tells which of them have a connection to the server. */
export interface Tabs {
  readonly pages: Page[]
  open(): Promise<Page>
  /** Waits for the tab that has the connection, other than `except`. Throws if there are several. */
  leader(except?: Page): Promise<Page>
}

export async function openTabs(device: Device, count: number): Promise<Tabs> {
  const connected = new Map<Page, Set<unknown>>()
  const pages: Page[] = []
  function watch(page: Page): void {
    const sockets = new Set<unknown>()
    connected.set(page, sockets)
    page.on('websocket', (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
    for (const end of ['close', 'crash'] as const) page.on(end as 'close', () => connected.delete(page))
    pages.push(page)
  }
  async function open(): Promise<Page> {
    const { pathname, hash } = new URL(device.page.isClosed() ? last : device.page.url())
    last = new URL(pathname + hash, device.url).href
    const page = await device.context.newPage()
    watch(page)
    await page.goto(last)
    await ready(page)
    return page
  }
  let last = device.page.url()
  watch(device.page)
  // Opened like the others, so that its connections are counted from the start.
  await device.page.reload()
  await ready(device.page)
  while (pages.length < count) await open()
  const holding = (except?: Page) =>
    Array.from(connected)
      .filter(([page]) => page !== except)
      .flatMap(([page, sockets]) => Array.from(sockets, () => page))
  return {
    pages,
    open,
    async leader(except) {
      await expect.poll(() => holding(except).length, moment).toBe(1)
      const [page] = holding(except)
      if (page === undefined) throw new Error('no tab has a connection')
      return page
    },
  }
}

/** Opens the chat on another device of the person. */
export async function openElsewhere(
  stage: Stage,
  account: Account,
  where: { spaceId: string; chat: string },
): Promise<Device> {
  const phone = await stage.device(`${account.name}'s other browser`)
  await openT69(phone.page, phone.url)
  await signIn(phone.page, account)
  await openSpace(phone.page, where.spaceId)
  await showSidebar(phone.page)
  await treeItem(phone.page, { title: where.chat }).click()
  await synced(phone.page)
  return phone
}

export const others = (pages: readonly Page[], page: Page): Page[] => pages.filter((one) => one !== page)

export async function shown(pages: readonly Page[], text: string): Promise<void> {
  await Promise.all(pages.map((page) => message(page, text).waitFor(moment)))
}

/** Waits until all pages are live and show the same counts. */
export async function agree(pages: readonly Page[]): Promise<void> {
  await Promise.all(pages.map(synced))
  await expect
    .poll(async () => {
      const heads = await Promise.all(pages.map(async (page) => (await status(page)).head))
      return new Set(heads).size
    }, moment)
    .toBe(1)
}

/** Kills the page's process, as the system does when memory runs out. */
export async function crash(page: Page): Promise<void> {
  const crashed = page.waitForEvent('crash')
  const session = await page.context().newCDPSession(page)
  // This never resolves: the process that would answer is dead.
  void session.send('Page.crash').catch(() => {})
  await crashed
}

/**
 * Stops a page's process without telling it, as systems stop tabs in the background, with its locks and sockets held.
 * Chromium's own freezing refuses visible pages, and those of a test are always visible. As with that, it happens while
 * the page has no transaction: `beside`, another tab, can write to all stores. `thaw` lets it continue.
 */
export async function freeze(page: Page, beside: Page): Promise<{ thaw(): void } & Disposable> {
  const pid = await processOf(page)
  let isFrozen = false
  const thaw = (): void => {
    if (isFrozen) process.kill(pid, 'SIGCONT')
    isFrozen = false
  }
  for (;;) {
    await transactionsOver(page)
    process.kill(pid, 'SIGSTOP')
    isFrozen = true
    const over = transactionsOver(beside)
    const isFree = await Promise.race([over.then(() => true), delay(1_000, false)])
    if (isFree) break
    thaw()
    await over
  }
  return { thaw, [Symbol.dispose]: thaw }
}

/** Finds the process that renders the page: the one that is busy while the page is. */
async function processOf(page: Page): Promise<number> {
  const browser = page.context().browser()
  if (browser === null) throw new Error('the page has no browser of its own')
  const session = await browser.newBrowserCDPSession()
  const times = async (): Promise<ReadonlyMap<number, number>> => {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo')
    return new Map(
      processInfo.flatMap(({ type, id, cpuTime }) => (type === 'renderer' ? [[id, cpuTime]] : [])),
    )
  }
  const before = await times()
  for (let look = 0; look < 10; look++) {
    await page.evaluate(() => {
      for (const end = performance.now() + 300; performance.now() < end;);
    })
    const after = await times()
    const worked = (pid: number): number => (after.get(pid) ?? 0) - (before.get(pid) ?? 0)
    const [busiest, next] = [...before.keys()].toSorted((one, other) => worked(other) - worked(one))
    if (busiest === undefined || worked(busiest) < 2 * worked(next ?? -1)) continue
    await session.detach()
    return busiest
  }
  throw new Error('several processes could be that of the page')
}
