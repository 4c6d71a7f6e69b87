import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'

import { createNetworkLink, type NetworkLink, type NetworkLinkOptions } from './network-link.ts'

/** A person's browser, with separate storage and a separate network link. */
export interface Device {
  readonly name: string
  readonly context: BrowserContext
  readonly page: Page
  /** The server's address through this device's link. */
  readonly url: string
  /** Cuts the link, and tells the browser that it is offline. */
  goOffline(): Promise<void>
  goOnline(): Promise<void>
  /** Delivers nothing more, while connections stay open. */
  stall(): void
  /** Refuses WebSockets, as some proxies do. */
  blockWebSockets(): void
  /** Makes the page visible again, upon which it tries to connect at once. */
  lookAgain(): Promise<void>
  /** Kills the page's process, as the system does when memory runs out, and opens the address again. */
  killTab(): Promise<void>
  /** Opens another tab of the same browser. */
  newTab(path?: string): Promise<Page>
  /** Expects lost connections from now on, because the server stops. */
  expectLostConnections(): void
  /** Expects errors on the console that match, from now on. */
  expectErrors(pattern: RegExp): void
  /** The errors on the console that were not expected. */
  unexpectedErrors(): readonly string[]
  close(): Promise<void>
}

// Chromium's messages about requests and sockets that fail, and about a poll in a session that has ended with its server.
const networkErrors =
  /net::ERR_|WebSocket connection to|Failed to fetch|status of 400 .*\/socket\.io\/.*&sid=/

// Pages that are not t69's, as those of a provider of accounts, have no icon. A Chromium with windows asks for one.
const missingIcon = /status of 404 .*\/favicon\.ico\)$/

/** Creates a context of `browser` with a separate link to the server. The app is not open yet. */
export async function createDevice(
  browser: Browser,
  options: { name: string; serverUrl: string; context?: BrowserContextOptions; wire?: NetworkLinkOptions },
): Promise<Device> {
  const link = await createNetworkLink(options.serverUrl, options.wire)
  const context = await browser.newContext({
    viewport: { width: 1200, height: 800 },
    // Screenshots and clicks then do not wait for animations.
    reducedMotion: 'reduce',
    locale: 'en-GB',
    ...options.context,
  })
  // The browser says nothing on the console of code from text that the page tried and did without.
  await context.addInitScript(() =>
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile }) =>
      console.error(`The page broke its content policy: ${violatedDirective} ${blockedURI} ${sourceFile}`),
    ),
  )
  // Where Svelte's warnings come from: the console names only the file of Svelte itself.
  await context.addInitScript(() => {
    const warn = console.warn.bind(console)
    console.warn = (...said: unknown[]) => {
      const isSvelte = said.some((part) => typeof part === 'string' && part.includes('svelte.dev/e/'))
      warn(...said, ...(isSvelte ? [new Error('from').stack] : []))
    }
  })
  return await deviceIn(context, link, options.name)
}

async function deviceIn(context: BrowserContext, link: NetworkLink, name: string): Promise<Device> {
  // A client that found no server a few times waits for up to half a minute before it tries again.
  context.setDefaultTimeout(45_000)
  const expected: RegExp[] = [missingIcon]
  const errors: string[] = []
  function watch(page: Page): void {
    page.on('pageerror', (error) => errors.push(`${error.name}: ${error.message}`))
    page.on('console', (message) => {
      // Svelte warns of code that shows stale values. A story that causes such a warning has found a bug.
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
      // This never resolves: the process that would answer is dead.
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
