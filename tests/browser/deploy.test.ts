import type { Page } from 'playwright-core'
import { afterAll, expect } from 'vitest'

import { deployedApp, laterChunk } from '../lib/deployed-app.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  message,
  newChat,
  openT69,
  ready,
  say,
  signUp,
  synced,
} from '../lib/t69-page.ts'

const app = await deployedApp()
afterAll(() => app[Symbol.asyncDispose]())
const options = { env: { STATIC_DIR: app.folder } }

const version = (page: Page) => page.evaluate(() => document.documentElement.dataset['version'])

/** Opens the first version, which the service worker opens from then on. */
async function openFirst(page: Page, url: string): Promise<void> {
  await app.deploy('first')
  await openT69(page, url)
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null)
  await say(page, 'Bread')
}

/** The versions of which this device has files. Runs in the page. */
const openVersions = async () => (await caches.keys()).map((name) => name.split('-').at(-1))

/** How often the page was loaded since. */
function countLoads(page: Page): () => number {
  let loads = 0
  page.on('load', () => loads++)
  return () => loads
}

story(
  'after a deploy, one reload is enough to have the new version, also offline',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    await openFirst(page, laptop.url)
    await app.deploy('second')
    const loads = countLoads(page)
    await page.reload()
    await expect.poll(() => version(page)).toBe('second')
    await message(page, 'Bread').waitFor()
    // By somebody, and by the page itself.
    await expect.poll(loads).toBe(2)
    expect(await page.getByTestId('new-version').count()).toBe(0)
    await laptop.goOffline()
    await page.reload()
    await message(page, 'Bread').waitFor()
    expect(await version(page)).toBe('second')
    await laptop.goOnline()
  },
  options,
)

story(
  'a page that stays open is offered the new version, and what was being written is there in it',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    laptop.expectLostConnections()
    await openFirst(page, laptop.url)
    await signUp(page, accountOf('Anna'))
    await enableSync(page)
    await newChat(page, 'Diary')
    await page.getByTestId('composer').fill('Half a message')
    await stage.server.stop()
    await app.deploy('second')
    await stage.server.start()
    await laptop.lookAgain()
    await page.getByTestId('new-version').waitFor()
    expect(await version(page)).toBe('first')
    expect(await page.getByTestId('composer').inputValue()).toBe('Half a message')
    await stage.shot(laptop, 'the offer')
    await page.getByTestId('reload').click()
    await expect.poll(() => version(page)).toBe('second')
    await ready(page)
    await expect.poll(() => page.getByTestId('composer').inputValue()).toBe('Half a message')
    await synced(page)
    expect(await page.getByTestId('new-version').count()).toBe(0)
  },
  options,
)

/** What a page of a version gets when it loads a part of itself that it has not needed so far. */
const loadLater = (page: Page, version: string) =>
  // As text, since the test's own imports are rewritten.
  page.evaluate<string>(
    `import(new URL('${laterChunk(version)}', document.baseURI).href).then((it) => it.version)`,
  )

/** Whether the service worker has kept that part. */
const keepsLater = (page: Page, version: string) =>
  page.evaluate(
    async (path) => (await caches.match(new URL(path, document.baseURI))) !== undefined,
    laterChunk(version),
  )

story(
  'a page that stays open through deploys goes on with the parts of its own version, and the next page has all of the new one',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    await page.clock.install()
    await openFirst(page, laptop.url)
    // By now the page has nothing better to do than to have the rest of it kept.
    await page.clock.fastForward(60_000)
    await expect.poll(() => keepsLater(page, 'first')).toBe(true)
    for (const next of ['second', 'third', 'fourth']) {
      await app.deploy(next)
      // The one before may still be looked for.
      const look = () =>
        page.evaluate(async () => void (await (await navigator.serviceWorker.ready).update()))
      await expect.poll(() => look().then(() => keepsLater(page, next))).toBe(true)
    }
    await page.getByTestId('new-version').waitFor()
    expect(await version(page)).toBe('first')
    // No server has it any more.
    expect(await loadLater(page, 'first')).toBe('first')
    // Of the versions between, no page is open.
    await expect.poll(() => page.evaluate(openVersions)).not.toContain('second')

    const tab = await laptop.newTab()
    await ready(tab)
    expect(await version(tab)).toBe('fourth')
    await laptop.goOffline()
    // The version before had it, and so has this one.
    expect(await loadLater(tab, 'fourth')).toBe('fourth')
    expect(await loadLater(page, 'first')).toBe('first')
    await laptop.goOnline()
  },
  options,
)

story(
  'what was loaded in a first visit opens without a network, in the language that it was loaded in',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop", { locale: 'ar-EG' })
    const { page } = laptop
    await app.deploy('first')
    await openT69(page, laptop.url)
    expect(await loadLater(page, 'first')).toBe('first')
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null)
    await expect.poll(() => keepsLater(page, 'first')).toBe(true)
    const language = () =>
      page.evaluate(async () => {
        const links = Array.from(document.querySelectorAll<HTMLLinkElement>('link[rel=modulepreload]'))
        const { href } = links.find((link) => link.href.includes('.ar.')) ?? { href: '' }
        return (await caches.match(href)) !== undefined
      })
    await expect.poll(language).toBe(true)
    await laptop.goOffline()
    await page.reload()
    await ready(page)
    expect(await page.evaluate(() => document.documentElement.lang)).toMatch(/^ar\b/)
    expect(await loadLater(page, 'first')).toBe('first')
    await laptop.goOnline()
  },
  options,
)

story(
  'while servers of two versions answer in turn, a page does not reload itself again and again',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    await openFirst(page, laptop.url)
    await app.deploy('second')
    await page.reload()
    await expect.poll(() => version(page)).toBe('second')
    await ready(page)
    const loads = countLoads(page)
    await app.deploy('first again')
    await page.reload()
    await page.getByTestId('new-version').waitFor()
    expect(await version(page)).toBe('second')
    expect(loads()).toBe(1)
  },
  options,
)
