import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'

import { createNetworkLink, type NetworkLink, type NetworkLinkOptions } from './network-link.ts'

/** One person's browser: storage and a wire of its own. */
export interface Device {
  readonly name: string
  readonly context: BrowserContext
  readonly page: Page
  /** The server as this device sees it, through its own wire. */
  readonly url: string
  /** No network at all: the wire is cut and the browser says that it is offline. */
  goOffline(): Promise<void>
  goOnline(): Promise<void>
  /** The wire delivers nothing while every connection seems open. */
  stall(): void
  /** The wire lets no WebSocket through, as some proxies do. */
  blockWebSockets(): void
  /** Somebody turns to the page again, which is when it tries to connect at once. */
  lookAgain(): Promise<void>
  /** Kills the page's process as the system does when memory runs out, and opens the address anew. */
  killTab(): Promise<void>
  /** Another tab of the same browser. */
  newTab(path?: string): Promise<Page>
  /** From now on, connections that are lost are part of the story: the server goes. */
  expectLostConnections(): void
  /** From now on, errors on the console that match are part of the story. */
  expectErrors(pattern: RegExp): void
  /** What the console said that no story expects. */
  unexpectedErrors(): readonly string[]
  close(): Promise<void>
}

// What Chromium itself says of requests and sockets that do not get through, and of a poll in a session that
// has ended with its server.
const networkErrors =
  /net::ERR_|WebSocket connection to|Failed to fetch|status of 400 .*\/socket\.io\/.*&sid=/

/** A context of `browser`, through a wire of its own to the server, with the app not yet open. */
export async function createDevice(
  browser: Browser,
  options: { name: string; serverUrl: string; context?: BrowserContextOptions; wire?: NetworkLinkOptions },
): Promise<Device> {
  const link = await createNetworkLink(options.serverUrl, options.wire)
  const context = await browser.newContext({
    viewport: { width: 1200, height: 800 },
    // Screenshots and clicks need no animation to end.
    reducedMotion: 'reduce',
    locale: 'en-GB',
    ...options.context,
  })
  return await deviceIn(context, link, options.name)
}

async function deviceIn(context: BrowserContext, link: NetworkLink, name: string): Promise<Device> {
  context.setDefaultTimeout(20_000)
  const expected: RegExp[] = []
  const errors: string[] = []
  function watch(page: Page): void {
    page.on('pageerror', (error) => errors.push(`${error.name}: ${error.message}`))
    page.on('console', (message) => {
      // Svelte warns of what shows stale values; a story that meets that has found a mistake.
      const isWarning = message.type() === 'warning' && message.text().includes('svelte.dev/e/')
      if (message.type() === 'error' || isWarning)
        errors.push(`${message.text()} (${message.location().url})`)
    })
  }
  context.on('page', watch)
  let page = await context.newPage()
  return {
    name,
    context,
    get page() {
      return page
    },
    url: link.url,
    async goOffline() {
      expected.push(networkErrors)
      link.cut()
      await context.setOffline(true)
    },
    async goOnline() {
      link.restore()
      await context.setOffline(false)
    },
    stall() {
      expected.push(networkErrors)
      link.stall()
    },
    blockWebSockets() {
      expected.push(/WebSocket connection to/)
      link.setWebSockets('refused')
    },
    async lookAgain() {
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
    },
    async killTab() {
      const address = page.url()
      const crashed = page.waitForEvent('crash')
      // The answer never comes: whoever would give it is dead.
      void page.goto('chrome://crash').catch(() => {})
      await crashed
      await page.close()
      page = await context.newPage()
      await page.goto(address)
    },
    async newTab(path = '/') {
      const tab = await context.newPage()
      await tab.goto(new URL(path, link.url).href)
      return tab
    },
    expectLostConnections: () => void expected.push(networkErrors),
    expectErrors: (pattern) => void expected.push(pattern),
    unexpectedErrors: () => errors.filter((error) => !expected.some((pattern) => pattern.test(error))),
    async close() {
      await context.close()
      await link[Symbol.asyncDispose]()
    },
  }
}
