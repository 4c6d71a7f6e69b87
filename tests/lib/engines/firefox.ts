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
      watch(page, errors)
      return createDrivenPage(tabOf(page))
    },
    errors: () => errors,
    [Symbol.asyncDispose]: () => browser.close(),
  }
}

/** What a page gave up itself, most often because it was reloaded. */
const givenUp = 'NS_BINDING_ABORTED'

/** Requests that failed, and errors outside the app. */
function watch(page: Page, errors: string[]): void {
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? ''
    if (reason !== givenUp) errors.push(`${request.url()}: ${reason}`)
  })
}

function tabOf(page: Page): Tab {
  return {
    goto: async (url) => void (await page.goto(url)),
    reload: async () => void (await page.reload()),
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
