import puppeteer, { type Page } from 'puppeteer-core'

import { findInPath } from '../find-in-path.ts'
import { createDrivenPage } from './driven-page.ts'
import type { Engine, LaunchOptions } from './engine.ts'
import type { Tab } from './tab.ts'

const names = ['firefox-esr', 'firefox']

const preferences = {
  // Clicks do not wait for animations then.
  'ui.prefersReducedMotion': 1,
  'intl.accept_languages': 'en-GB',
}
/** "Block all cookies", in the settings. */
const blockCookies = { 'network.cookie.cookieBehavior': 2 }

/** The system's Firefox, over WebDriver BiDi, which Firefox itself speaks. */
export const firefox: Engine = {
  name: 'Firefox',
  missing: async () =>
    (await findInPath(names)) === undefined ? 'Firefox (Debian: firefox-esr)' : undefined,
  keepsProfiles: true,
  launch,
}

async function launch({ profileDir, refusesStorage = false }: LaunchOptions) {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: (await findInPath(names)) ?? '',
    headless: true,
    defaultViewport: { width: 1200, height: 800 },
    extraPrefsFirefox: { ...preferences, ...(refusesStorage ? blockCookies : {}) },
    userDataDir: profileDir,
  })
  const errors: string[] = []
  return {
    version: await browser.version(),
    async newPage() {
      const page = await browser.newPage()
      const leaving: Leaving = { isLeft: false }
      watch(page, leaving, errors)
      return createDrivenPage(tabOf(page, leaving))
    },
    errors: () => errors,
    [Symbol.asyncDispose]: () => browser.close(),
  }
}

/** What a page gave up itself, most often because it was reloaded. */
const givenUp = 'NS_BINDING_ABORTED'
/** The same, for a request that the service worker was about to answer. It is an error unless the page is being left. */
const givenUpByWorker = /A ServiceWorker intercepted the request and encountered an unexpected error/

/** Requests that failed, and errors outside the app. */
function watch(page: Page, leaving: Leaving, errors: string[]): void {
  page.on('pageerror', (error) => {
    if (!leaving.isLeft || !givenUpByWorker.test(String(error))) errors.push(String(error))
  })
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? ''
    if (reason !== givenUp) errors.push(`${request.url()}: ${reason}`)
  })
}

/** Whether the tab is on its way from one page to the next. */
interface Leaving {
  isLeft: boolean
}

function tabOf(page: Page, leaving: Leaving): Tab {
  async function leave(go: () => Promise<unknown>): Promise<void> {
    leaving.isLeft = true
    await go().finally(() => (leaving.isLeft = false))
  }
  return {
    goto: (url) => leave(() => page.goto(url)),
    reload: () => leave(() => page.reload()),
    run: (source, args) => page.evaluate(`(${source}).apply(null, ${JSON.stringify(args)})`),
    toFront: () => page.bringToFront(),
    moveTo: ({ x, y }) => page.mouse.move(x, y),
    clickAt: ({ x, y }) => page.mouse.click(x, y),
    type: (text) => page.keyboard.type(text),
    press: (key) => page.keyboard.press(key),
    picture: () => page.screenshot(),
    close: () => page.close(),
  }
}
