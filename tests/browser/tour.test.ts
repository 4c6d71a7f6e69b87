import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { chunkOf, startFakeProvider } from '../lib/fake-provider.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  hideSidebar,
  invite,
  moment,
  newChat,
  newFolder,
  openT69,
  reload,
  say,
  setUpProvider,
  showSidebar,
  treeItem,
} from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

/**
 * A tour of the screens, for eyes: it leaves a picture of each in `artifacts/`, in both languages that mirror each other, both
 * colour schemes, and at the widths of a phone and of a laptop. What it checks by itself is that nothing is wider than its
 * place, down to 320 px, and that arrows point where they should.
 */
const looks = [
  { language: 'en', width: 1440, height: 900, scheme: 'light' },
  { language: 'en', width: 390, height: 844, scheme: 'dark' },
  { language: 'ar', width: 1440, height: 900, scheme: 'dark' },
  { language: 'ar', width: 390, height: 844, scheme: 'light' },
  { language: 'en', width: 320, height: 640, scheme: 'light' },
] as const

const answer = `At **24 °C** the dough needs *four to five hours*, and then \`1 night\` in the fridge.

| step | time | how it looks |
| --- | ---: | --- |
| first rise | 4 h | half as big again |
| fridge | 12 h | a dent springs back slowly |

\`\`\`ts
const hours = (celsius: number) => 4 * 2 ** ((24 - celsius) / 6) // a line that is longer than any phone is wide
\`\`\`

> A poke that fills again *slowly*.

$$ t = 4 \\cdot 2^{\\frac{24 - c}{6}} $$

1. Mix, and wait.
2. Shape, and wait.`

/** What is wider than its place, by test id or tag: a dialog, a menu or the page. */
async function tooWide(page: Page): Promise<string[]> {
  return await page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll<HTMLElement>('dialog[open], :popover-open, main')]
      .filter((element) => element.offsetParent !== null || element.matches('html, dialog, [popover]'))
      .filter((element) => element.scrollWidth > element.clientWidth + 1)
      .map((element) => `${element.dataset['testid'] ?? element.tagName}: ${element.scrollWidth} px`),
  )
}

/** Whether the arrow of an open folder points down, to what is in it. */
async function pointsDown(page: Page): Promise<boolean> {
  return await page
    .locator('.toggle.open svg')
    .first()
    .evaluate((svg: SVGSVGElement) => {
      const shown = svg.getScreenCTM()
      if (shown === null) throw new Error('the arrow is not shown')
      const on = (x: number): number => new DOMPoint(x, 12).matrixTransform(shown).y
      // Its tip, as it is drawn, and its middle.
      return on(15) > on(12)
    })
}

story('every screen fits its window, in English and Arabic, on phones and laptops', async (stage) => {
  using provider = await startFakeProvider()
  provider.answer = (response, { messages }) => {
    if (messages.at(-1)?.content.includes('refuse') === true) {
      response.writeHead(401, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: { message: 'Incorrect API key provided' } }))
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(`${chunkOf({ content: answer })}data: [DONE]\n\n`)
  }
  const laptop = await openOwnSpace(stage, 'laptop', accountOf('Anna'))
  laptop.expectErrors(/status of 401/)
  const { page } = laptop
  await setUpProvider(page, { name: 'Kitchen', baseUrl: provider.baseUrl, model: 'kitchen-1', key: 'a key' })
  await page.getByTestId('close-dialog').click()
  await newFolder(page, 'Kitchen')
  await newChat(page, 'Bread baking')
  await say(page, 'How long does sourdough prove at 24 °C, and how do I see that it is ready?')
  await page.locator('[data-testid=message][data-outcome=done]').last().waitFor(moment)
  await page.getByTestId('new-chat').click()
  await say(page, 'كيف أخبز خبز العجين المخمر عند 24 °C؟ (sourdough)')
  await page.locator('[data-testid=message][data-outcome=done]').last().waitFor(moment)
  await newChat(page, 'A title that goes on for much longer than any sidebar is wide, or should be')
  await say(page, 'Please refuse this')
  await page.locator('[data-testid=outcome]').last().waitFor(moment)
  await newChat(page, 'Gone tomorrow')
  await treeItem(page, { title: 'Gone tomorrow' }).click()
  await page.keyboard.press('Delete')
  const link = new URL(await invite(page, 'editor')).pathname

  for (const { language, width, height, scheme } of looks) {
    const look = `${language} ${width} ${scheme}`
    const see = async (what: string): Promise<void> => {
      expect.soft(await tooWide(page), `${what}, ${look}`).toEqual([])
      await stage.shot(laptop, `${look} ${what}`)
    }
    const dialog = async (what: string, open: () => Promise<void>): Promise<void> => {
      await open()
      await page.locator('dialog[open]').first().waitFor()
      await see(what)
      await page.keyboard.press('Escape')
      await page.locator('dialog[open]').waitFor({ state: 'hidden' })
    }
    const fromMenu = async (menu: string, entry: string): Promise<void> => {
      await showSidebar(page)
      await page.getByTestId(menu).click()
      await page.getByTestId(entry).click()
    }
    await page.setViewportSize({ width, height })
    await page.emulateMedia({ colorScheme: scheme })
    await page.evaluate((it) => localStorage.setItem('t69-locale', it), language)
    await reload(page)
    await page.getByTestId('sync-status').waitFor({ state: 'attached' })
    for (const [title, what] of [
      ['Bread baking', 'a reply'],
      ['A title that goes on for much longer than any sidebar is wide, or should be', 'a refused reply'],
    ] as const) {
      await showSidebar(page)
      if (what === 'a reply' && (await treeItem(page, { title }).count()) === 0)
        await treeItem(page, { title: 'Kitchen' }).click()
      await treeItem(page, { title }).click()
      await hideSidebar(page)
      await page.getByTestId('message').last().waitFor()
      await see(what)
    }
    await showSidebar(page)
    expect.soft(await pointsDown(page), look).toBe(true)
    await see('the sidebar')
    await page.getByTestId('space-switcher').click()
    await see('the menu of the space')
    await page.keyboard.press('Escape')
    await page.getByTestId('account').click()
    await see('the menu of the account')
    await page.keyboard.press('Escape')
    await dialog('the settings', async () => {
      await showSidebar(page)
      await page.getByTestId('settings').click()
    })
    await dialog('sharing', async () => {
      await hideSidebar(page)
      await page.getByTestId('share').click()
    })
    await dialog('recently deleted', () => fromMenu('space-switcher', 'recently-deleted'))
    await dialog('import', () => fromMenu('space-switcher', 'import'))
    await dialog('export', () => fromMenu('space-switcher', 'export'))
    await dialog('devices', () => fromMenu('account', 'devices'))
    await dialog('sync', async () => {
      await hideSidebar(page)
      await page.getByTestId('sync-status').click()
    })
    await page.getByTestId('model-picker').click()
    await see('who answers')
    await page.getByTestId('pick-assistants').click()
    await dialog('assistants', async () => page.getByTestId('assistant-new').click())
    await hideSidebar(page)
    await page.keyboard.press('Control+k')
    await page.getByTestId('palette-input').fill('bread')
    await page.getByTestId('palette-item').first().waitFor()
    await see('search')
    await page.keyboard.press('Escape')
    await showSidebar(page)
    await page.getByTestId('new-chat').click()
    await hideSidebar(page)
    await see('a new chat')

    const guest = await stage.device('guest', {
      viewport: { width, height },
      colorScheme: scheme,
      locale: language,
    })
    const seeGuest = async (what: string): Promise<void> => {
      expect.soft(await tooWide(guest.page), `${what}, ${look}`).toEqual([])
      await stage.shot(guest, `${look} ${what}`)
    }
    // Of the link that leads nowhere.
    guest.expectErrors(/status of 404/)
    await openT69(guest.page, guest.url)
    await seeGuest('a first visit')
    await guest.page.getByTestId('provider-hint').getByRole('button').first().click()
    await guest.page.getByTestId('provider-form').waitFor()
    await seeGuest('provider setup')
    await guest.page.goto(new URL(link, guest.url).href)
    await guest.page.getByTestId('invite-dialog').waitFor()
    await guest.page.getByTestId('invite-sign-up').waitFor()
    // An English name begins where the Arabic lines around it do.
    const aligned = await guest.page
      .getByTestId('invite-space')
      .evaluate((name) => getComputedStyle(name).textAlign)
    expect.soft(aligned, look).toBe(language === 'ar' ? 'right' : 'left')
    await seeGuest('an invite')
    await guest.page.goto(new URL('/invite/none-of-these', guest.url).href)
    await guest.page.getByTestId('invite-problem').waitFor()
    await seeGuest('a dead invite')
    await guest.close()
  }
})
