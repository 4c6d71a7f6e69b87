import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import { newChat, newSpace, openT69, ready, reload, say, showSidebar } from '../lib/t69-page.ts'

const names = (
  'catppuccin cerberus concord crimson fennec hamlindigo legacy mint modern mona nosh nouveau pine reign rocket rose ' +
  'sahara seafoam terminus vintage vox wintry'
).split(' ')

/** What is read on what: the colours of app.css, and the contrast that WCAG's AA asks for. */
const pairs: readonly (readonly [front: string, back: string, least: number])[] = [
  ...['ground', 'panel', 'raised', 'hover', 'bubble', 'bubble-mine', 'chosen'].flatMap(
    (back) =>
      [
        ['text', back, 4.5],
        ['muted', back, 4.5],
      ] as const,
  ),
  ...['ground', 'panel', 'raised', 'hover', 'bubble', 'chosen'].map((back) => ['accent', back, 4.5] as const),
  ...['ground', 'panel', 'raised', 'bad-ground', 'hover'].map((back) => ['bad', back, 4.5] as const),
  ['on-accent', 'accent', 4.5],
  ['on-bad', 'bad', 4.5],
  ['text', 'bad-ground', 4.5],
  ['on-warn', 'warn', 4.5],
  ...['ground', 'panel', 'raised'].flatMap((back) =>
    ['control', 'faint', 'good', 'busy'].map((front) => [front, back, 3] as const),
  ),
]

async function openSettings(page: Page): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('settings').click()
}

const themeRadio = (page: Page, name: string) =>
  page.locator(`[data-testid=theme][data-theme="${name}"] input`)

/** What is on screen around and in the page: its ground, and what the browser takes for its own edge. */
const shown = (page: Page) =>
  page.evaluate(() => ({
    ground: getComputedStyle(document.body).backgroundColor,
    edge: [...document.querySelectorAll<HTMLMetaElement>('meta[name=theme-color]')]
      .filter(({ media }) => matchMedia(media).matches)
      .map(({ content }) => content),
  }))

story('everything can be read in each of the 22 themes and the plain one, light and dark', async (stage) => {
  const laptop = await stage.device("Anna's laptop", { viewport: { width: 1440, height: 900 } })
  const { page } = laptop
  await openT69(page, laptop.url)
  await say(page, 'Which colours do you have?')
  await openSettings(page)
  const offered = await page
    .getByTestId('theme')
    .evaluateAll((all) => all.map((each) => each.getAttribute('data-theme')))
  expect(offered).toEqual(['', ...names])
  const unreadable = await page.evaluate((wanted) => {
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    if (context === null) throw new Error('no canvas')
    const root = document.documentElement
    const probe = document.createElement('i')
    root.append(probe)
    function luminance(name: string): number {
      probe.style.color = `var(--${name})`
      context!.fillStyle = getComputedStyle(probe).color
      context!.fillRect(0, 0, 1, 1)
      const [r, g, b] = [...context!.getImageData(0, 0, 1, 1).data].map((part) => {
        const share = part / 255
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
    }
    const found: string[] = []
    const seen = new Set<string>()
    for (const label of document.querySelectorAll<HTMLElement>('[data-testid=theme]')) {
      root.style.cssText = label.style.cssText
      for (const scheme of ['light', 'dark']) {
        root.dataset['scheme'] = scheme
        for (const [front, back, least] of wanted) {
          const [dark, light] = [luminance(front), luminance(back)].sort((a, b) => a - b)
          const contrast = (light! + 0.05) / (dark! + 0.05)
          const where = `${label.dataset['theme']} ${scheme}: ${front} on ${back} ${contrast.toFixed(2)}`
          if (contrast < least) found.push(where)
          seen.add(`${scheme} ${getComputedStyle(document.body).backgroundColor}`)
        }
      }
    }
    probe.remove()
    return { found, looks: seen.size }
  }, pairs)
  expect(unreadable.found).toEqual([])
  // They do differ.
  expect(unreadable.looks).toBe(2 * (names.length + 1))
  await stage.shot(laptop, 'the themes')
})

story('a theme belongs to a space, and is there before the first paint', async (stage) => {
  const laptop = await stage.device("Anna's laptop", { colorScheme: 'light' })
  const { page } = laptop
  await openT69(page, laptop.url)
  await say(page, 'At home')
  const plain = await shown(page)
  await openSettings(page)
  await themeRadio(page, 'rose').check()
  await expect.poll(async () => (await shown(page)).ground).not.toBe(plain.ground)
  await page.getByTestId('color-scheme').selectOption('dark')
  await expect.poll(() => page.evaluate(() => document.documentElement.dataset['scheme'])).toBe('dark')
  const { ground } = await shown(page)
  expect(ground).not.toBe(plain.ground)
  await expect.poll(() => shown(page)).toEqual({ ground, edge: [ground] })
  await stage.shot(laptop, 'rose, dark')
  await page.getByTestId('close-dialog').click()

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
  const seen = await page.evaluate(() => [...(Reflect.get(globalThis, 'seen') as Set<string>)])
  expect(seen.filter((colour) => colour !== 'rgba(0, 0, 0, 0)')).toEqual([ground])
  await openSettings(page)
  expect(await themeRadio(page, 'rose').isChecked()).toBe(true)
  await page.getByTestId('close-dialog').click()

  // Another space has its own; and t69 finds the name where it has always been.
  await newSpace(page, 'Work')
  await expect.poll(() => shown(page)).toEqual(plain)
  const stored = await page.evaluate(
    () =>
      new Promise<unknown[]>((resolve, reject) => {
        const opening = indexedDB.open('localDb')
        opening.addEventListener('error', () => reject(opening.error))
        opening.addEventListener('success', () => {
          const rows = opening.result.transaction('spaces').objectStore('spaces').getAll()
          rows.addEventListener('success', () =>
            resolve(rows.result.map(({ theme }: { theme: unknown }) => theme)),
          )
        })
      }),
  )
  expect(new Set(stored)).toEqual(new Set(['rose', null]))
  await openSettings(page)
  await themeRadio(page, 'seafoam').check()
  await themeRadio(page, '').check()
  await expect.poll(() => shown(page)).toEqual(plain)
})

story(
  'the language is the browser’s, or one that was chosen, and Arabic runs from right to left',
  async (stage) => {
    const tablet = await stage.device("Amal's tablet", { locale: 'ar-EG' })
    const { page } = tablet
    const said = () =>
      page.evaluate(() => [
        document.documentElement.lang,
        getComputedStyle(document.body).direction,
        document.querySelector<HTMLElement>('[data-testid=composer]')?.ariaLabel ?? '',
      ])
    await openT69(page, tablet.url)
    expect((await said()).slice(0, 2)).toEqual(['ar-EG', 'rtl'])
    const box = await page.getByTestId('sidebar').boundingBox()
    expect((box?.x ?? 0) + (box?.width ?? 0)).toBe(1200)
    await openSettings(page)
    await page.getByTestId('language').selectOption('en')
    await expect.poll(said).toEqual(['en', 'ltr', 'Message'])
    await ready(page)
    await page.reload()
    await ready(page)
    expect(await said()).toEqual(['en', 'ltr', 'Message'])
    await openSettings(page)
    expect(await page.getByTestId('language').inputValue()).toBe('en')
    await page.getByTestId('language').selectOption('')
    await expect.poll(async () => (await said())[0]).toBe('ar-EG')
    await ready(page)
  },
)

story('a menu is not seen before it has its entries and its place', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  const menu = page.locator('[role=menu]').first()
  const seen = await menu.evaluate(async (it: HTMLElement) => {
    it.showPopover()
    const atOnce = [getComputedStyle(it).visibility, it.querySelectorAll('[role^=menuitem]').length]
    while (it.querySelector('[role^=menuitem]') === null) await new Promise(requestAnimationFrame)
    return [...atOnce, getComputedStyle(it).visibility]
  })
  expect(seen).toEqual(['hidden', 0, 'visible'])
})

story('with the colours that the system forces on it, a page shows what is chosen', async (stage) => {
  const laptop = await stage.device("Anna's laptop", { forcedColors: 'active' })
  const { page } = laptop
  await openT69(page, laptop.url)
  await newChat(page, 'Recipes')
  await newChat(page, 'Letters')
  const outlines = (selector: string) =>
    page.locator(selector).evaluateAll((all) => all.map((each) => getComputedStyle(each).outlineStyle))
  await expect.poll(async () => (await outlines('[role=treeitem]')).toSorted()).toEqual(['none', 'solid'])
  await page.keyboard.press('Control+k')
  await page.getByTestId('palette').waitFor()
  await page.keyboard.press('ArrowDown')
  await stage.shot(laptop, 'search')
  const outlined = async (selector: string) => (await outlines(selector)).filter((style) => style !== 'none')
  await expect.poll(() => outlined('[role=option]')).toHaveLength(1)
  await page.keyboard.press('Escape')
  await page.getByTestId('space-switcher').click()
  await stage.shot(laptop, 'menu')
  await expect.poll(() => outlined('[role^=menuitem]')).toHaveLength(1)
})
