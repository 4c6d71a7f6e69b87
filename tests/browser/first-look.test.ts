import type { Page, Response } from 'playwright-core'
import { expect } from 'vitest'

import { startFakeProvider } from '../lib/fake-provider.ts'
import { settled } from '../lib/settled.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  invite,
  messages,
  newChat,
  openT69,
  ready,
  reload,
  say,
  setUpProvider,
  showSidebar,
  signUp,
} from '../lib/t69-page.ts'

const anna = accountOf('Anna')
const home = { name: 'Home', model: 'small', key: 'key-of-anna' }

/** The fields on screen that have no name for a screen reader, or none for the browser's own help. */
async function namelessFields(page: Page): Promise<string[]> {
  return await page.evaluate(() =>
    [...document.querySelectorAll<HTMLInputElement>('input:not([hidden]), textarea, select')]
      .filter(
        ({ name, labels, ariaLabel }) => name === '' || (ariaLabel ?? labels?.[0]?.innerText ?? '') === '',
      )
      .map((field) => field.outerHTML),
  )
}

story(
  'the page has a title, one heading, and fields with names, and keeps its content policy',
  async (stage) => {
    using provider = await startFakeProvider()
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    const plain: string[] = []
    let assets = 0
    async function look(response: Response): Promise<void> {
      const headers = await response.allHeaders()
      assets++
      // Files that one packet or two carry are not compressed.
      if (headers['content-encoding'] !== 'br' && Number(headers['content-length']) >= 4096)
        plain.push(response.url())
    }
    page.on('response', (response) => {
      if (!/\/assets\/.*\.(?:js|css)$/.test(response.url())) return
      void look(response)
    })
    // The stage fails the story if the page breaks its policy anywhere.
    await openT69(page, laptop.url)
    const heading = page.getByRole('heading', { level: 1 })
    await expect.poll(() => page.title()).toBe('My space · t69')
    await expect.poll(() => assets).toBeGreaterThan(1)
    expect(plain).toEqual([])
    expect(await heading.allInnerTexts()).toEqual(['My space'])
    expect(await page.getByRole('tree').count()).toBe(0)
    expect(await page.getByRole('button', { name: 'My space' }).count()).toBe(1)

    await say(page, 'Bread baking')
    await expect.poll(() => page.title()).toBe('Bread baking · t69')
    expect(await heading.allInnerTexts()).toEqual(['Bread baking'])
    expect(await page.getByRole('tree').getByRole('treeitem').count()).toBe(1)
    expect(await namelessFields(page)).toEqual([])
    await newChat(page, 'Sourdough')
    await expect.poll(() => page.title()).toBe('Sourdough · t69')

    await page.getByTestId('sign-up').click()
    expect(await namelessFields(page)).toEqual([])
    await page.getByTestId('close-dialog').click()
    await signUp(page, anna)
    await enableSync(page)
    await setUpProvider(page, { ...home, baseUrl: provider.baseUrl })
    expect(await namelessFields(page)).toEqual([])
    await page.getByTestId('close-dialog').click()
    await say(page, 'How long?')
    await provider.stream('A day.')
    provider.finish()
    await expect.poll(() => messages(page)).toEqual(['How long?', 'A day.'])
    await invite(page, 'editor')
    await page.getByTestId('share').click()
    await page.getByTestId('member').waitFor()
    expect(await namelessFields(page)).toEqual([])
    await page.getByTestId('close-dialog').click()
    for (const item of ['change-name', 'devices', 'change-password', 'delete-account']) {
      await page.getByTestId('account').click()
      await page.getByTestId(item).click()
      expect(await namelessFields(page)).toEqual([])
      await page.getByTestId('close-dialog').click()
    }
  },
)

story(
  'somebody who scrolls up while a reply grows stays there, and follows it again from the end',
  async (stage) => {
    using provider = await startFakeProvider()
    const laptop = await stage.device("Anna's laptop", { viewport: { width: 1000, height: 600 } })
    const { page } = laptop
    await openT69(page, laptop.url)
    await setUpProvider(page, { ...home, baseUrl: provider.baseUrl })
    await page.getByTestId('close-dialog').click()
    await say(page, 'Go')
    const list = page.getByTestId('chat').locator('..')
    const place = () =>
      list.evaluate(({ scrollTop, scrollHeight, clientHeight }) => ({
        top: Math.round(scrollTop),
        fromEnd: Math.round(scrollHeight - scrollTop - clientHeight),
      }))
    let lines = 0
    async function grow(): Promise<void> {
      const last = `line ${(lines += 20)}`
      await provider.stream(`${'and more\n'.repeat(19)}${last}\n`)
      await expect.poll(async () => (await messages(page)).at(-1)).toMatch(new RegExp(`${last}$`))
    }

    for (let i = 0; i < 4; i++) await grow()
    await expect.poll(async () => (await place()).fromEnd).toBe(0)
    // One notch of a mouse wheel, which is less than what counted as "still at the end".
    await list.hover()
    const { top } = await place()
    await page.mouse.wheel(0, -100)
    await expect.poll(async () => (await place()).top).toBeLessThan(top)
    const left = await settled(place)
    await grow()
    expect((await place()).top).toBe(left.top)
    // Small steps of a touchpad, each while the reply grows.
    for (let i = 0; i < 4; i++) {
      const before = await place()
      await page.mouse.wheel(0, -10)
      await grow()
      await expect.poll(async () => (await place()).top).toBeLessThan(before.top)
    }

    await page.mouse.wheel(0, 100_000)
    await expect.poll(async () => (await place()).fromEnd).toBe(0)
    await grow()
    await expect.poll(async () => (await place()).fromEnd).toBe(0)
    provider.finish()
  },
)

story('the settings with a provider fit the narrowest phone, and so do the other dialogs', async (stage) => {
  const phone = await stage.device("Ben's phone", {
    viewport: { width: 320, height: 640 },
    isMobile: true,
    hasTouch: true,
  })
  const { page } = phone
  const long = 'a-model-with-a-name-that-is-far-too-long-for-one-line-of-a-phone'
  await openT69(page, phone.url)
  // The fonts of other machines are wider, and some readers set larger ones.
  await page.addStyleTag({ content: 'input, select, button { font-size: 21px !important }' })
  const tooWide = () =>
    page.locator('dialog[open]').evaluate((dialog) => ({
      dialog: dialog.scrollWidth - dialog.clientWidth,
      page: document.documentElement.scrollWidth - innerWidth,
    }))
  await showSidebar(page)
  await setUpProvider(page, { ...home, model: long, baseUrl: `https://${long}.example/v1` })
  expect(await tooWide()).toEqual({ dialog: 0, page: 0 })
  await stage.shot(phone, 'settings')
  await page.getByTestId('close-dialog').click()
  await signUp(page, { ...anna, name: long, email: `${long.slice(0, 60)}@example.org` })
  await enableSync(page)
  await page.getByTestId('close-sidebar').click()
  await page.getByTestId('share').click()
  await page.getByTestId('create-invite').click()
  await page.getByTestId('invite').waitFor()
  expect(await tooWide()).toEqual({ dialog: 0, page: 0 })
  await stage.shot(phone, 'sharing')
})

story('a page that is dark on a light system is dark from its first paint', async (stage) => {
  const laptop = await stage.device("Anna's laptop", { colorScheme: 'light' })
  const { page } = laptop
  await openT69(page, laptop.url)
  await page.getByTestId('settings').click()
  await page.getByTestId('color-scheme').selectOption('dark')
  await page.getByTestId('close-dialog').click()
  const isDark = () => page.evaluate(() => document.documentElement.dataset['scheme'])
  await expect.poll(isDark).toBe('dark')
  // Every frame from the first on, in the page that a service worker serves too.
  await page.addInitScript(() => {
    const seen = new Set<string>()
    Object.assign(globalThis, { seen })
    requestAnimationFrame(function look() {
      if (document.body) seen.add(getComputedStyle(document.body).backgroundColor)
      requestAnimationFrame(look)
    })
  })
  await reload(page)
  await ready(page)
  expect(await isDark()).toBe('dark')
  const seen = await page.evaluate(() => [...(Reflect.get(globalThis, 'seen') as Set<string>)])
  expect(seen.filter((colour) => colour !== 'rgba(0, 0, 0, 0)')).toEqual(['oklch(0.205 0.005 85)'])
})

story(
  'what the browser shows around the page has the colour of the scheme that was chosen',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop", { colorScheme: 'light' })
    const { page } = laptop
    /** The colours that the browser may take. */
    const around = () =>
      page.evaluate(() =>
        Array.from(document.querySelectorAll<HTMLMetaElement>('meta[name=theme-color]'))
          .filter(({ media }) => matchMedia(media).matches)
          .map(({ content }) => content),
      )
    const [light, dark] = ['oklch(0.99 0.003 85)', 'oklch(0.205 0.005 85)']
    await openT69(page, laptop.url)
    expect(await around()).toEqual([light])
    for (const [scheme, colour] of [
      ['dark', dark],
      ['light', light],
      ['system', light],
      ['dark', dark],
    ] as const) {
      await page.getByTestId('settings').click()
      await page.getByTestId('color-scheme').selectOption(scheme)
      await page.getByTestId('close-dialog').click()
      await expect.poll(around).toEqual([colour])
    }
    await reload(page)
    await ready(page)
    expect(await around()).toEqual([dark])
    await page.getByTestId('settings').click()
    await page.getByTestId('color-scheme').selectOption('system')
    await page.emulateMedia({ colorScheme: 'dark' })
    await expect.poll(around).toEqual([dark])
  },
)

/** As in Firefox: a textarea has the height of its `rows`, and the browser says so. */
function withoutFieldSizing(): void {
  const supports = CSS.supports.bind(CSS)
  CSS.supports = (...args: [string, string?]) =>
    !args[0].includes('field-sizing') && supports(...(args as [string, string]))
  const sheet = new CSSStyleSheet()
  sheet.replaceSync('textarea { field-sizing: fixed !important }')
  document.adoptedStyleSheets = [sheet]
}

story('a textarea is as high as its text, also where the browser has no field-sizing', async (stage) => {
  const lines = (count: number): string => Array.from({ length: count }, (_, n) => `line ${n}`).join('\n')

  /** The heights of the composer and the editor of a message, in px, while they hold more and less, once they are `wanted`. */
  async function heights(
    name: string,
    prepare: (page: Page) => Promise<void>,
    wanted?: readonly number[],
  ): Promise<number[]> {
    const laptop = await stage.device(name)
    const { page } = laptop
    await prepare(page)
    await openT69(page, laptop.url)
    await newChat(page, 'Long texts')
    const seen: number[] = []
    const heightOf = async (field: string): Promise<number> => {
      const box = await page.getByTestId(field).boundingBox()
      return Math.round(box?.height ?? 0)
    }
    const measure = async (field: string): Promise<void> => {
      let height = wanted?.[seen.length] ?? (await heightOf(field))
      await expect
        .poll(
          async () => {
            const before = height
            const now = await heightOf(field)
            if (wanted === undefined) height = now
            return now === before
          },
          { interval: 200 },
        )
        .toBe(true)
      seen.push(height)
    }
    const composer = page.getByTestId('composer')
    for (const text of ['', lines(2), lines(5), lines(200), lines(3), 'word '.repeat(300)]) {
      await composer.fill(text)
      await measure('composer')
    }
    // The same words on a narrower page need more lines.
    await page.setViewportSize({ width: 900, height: 2_000 })
    await composer.fill('word '.repeat(300))
    await measure('composer')
    await page.setViewportSize({ width: 500, height: 2_000 })
    await expect.poll(async () => (await composer.boundingBox())?.height).toBeGreaterThan(seen.at(-1) ?? 0)
    await measure('composer')
    await composer.fill(lines(9))
    await composer.press('Enter')
    await expect.poll(() => composer.inputValue()).toBe('')
    await measure('composer')
    await page.getByTestId('message').first().hover()
    await page.getByTestId('edit-message').first().click()
    await measure('edit-input')
    await page.getByTestId('edit-input').fill(lines(12))
    await measure('edit-input')
    await stage.shot(laptop, 'a long edit')
    return seen
  }

  const native = await heights("Anna's Chromium", async () => {})
  expect(new Set(native.slice(0, 4)).size).toBe(4)
  await heights("Ben's Firefox", async (page) => void (await page.addInitScript(withoutFieldSizing)), native)
})
