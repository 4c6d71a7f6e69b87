import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import type { Device } from '../lib/device.ts'
import { chunkOf, startFakeProvider } from '../lib/fake-provider.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  hideSidebar,
  invite,
  newChat,
  newFolder,
  openSpace,
  openT69,
  ready,
  reload,
  say,
  setUpProvider,
  showSidebar,
  signIn,
  signOut,
  spaceOf,
  treeItem,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

/**
 * A tour of the screens, for eyes: it leaves a picture of each in `artifacts/`, in both languages that mirror each other, both
 * colour schemes, and at the widths of a phone and of a laptop. What it checks by itself is that nothing is wider than its
 * place, down to 320 px, that dialogs begin at one height, and that arrows point where they should.
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

const plan = `\`\`\`mermaid
flowchart LR
  Mix --> Rise -->|after 4 h| Shape --> Fridge --> Bake
\`\`\``

/** What is wider than its place, by test id or tag: a dialog, a menu or the page. */
async function tooWide(page: Page): Promise<string[]> {
  return await page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll<HTMLElement>('dialog[open], :popover-open, main')]
      .filter((element) => element.offsetParent !== null || element.matches('html, dialog, [popover]'))
      .filter((element) => element.scrollWidth > element.clientWidth + 1)
      .map((element) => `${element.dataset['testid'] ?? element.tagName}: ${element.scrollWidth} px`),
  )
}

/** What is pressed with a finger and smaller than one, by test id or words. A link in a sentence is as high as its line. */
async function tooSmall(page: Page): Promise<string[]> {
  return await page.evaluate(() => {
    const isHit = (element: Element, x: number, y: number): boolean =>
      element.contains(
        document.elementFromPoint(x, y)?.closest('button, a, label, input, select, textarea') ?? null,
      )
    return Array.from(document.querySelectorAll<HTMLElement>('button, select, input, textarea'))
      .map((control) => control.closest('label') ?? control)
      .map((element) => ({ element, box: element.getBoundingClientRect() }))
      .filter(({ element, box }) => isHit(element, box.x + box.width / 2, box.y + box.height / 2))
      .filter(({ box }) => Math.min(box.width, box.height) < 40)
      .map(({ element, box }) => {
        const name = element.dataset['testid'] ?? element.ariaLabel ?? element.innerText
        return `${name}: ${Math.round(box.width)} × ${Math.round(box.height)} px`
      })
  })
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
    const asked = messages.at(-1)?.content ?? ''
    if (asked.includes('Slowly')) response.write(chunkOf({ content: 'The dough is **mixed** first, and' }))
    else response.end(`${chunkOf({ content: asked.includes('Draw') ? plan : answer })}data: [DONE]\n\n`)
  }
  const laptop = await openOwnSpace(stage, 'laptop', accountOf('Anna'))
  laptop.expectErrors(/status of 401/)
  const { page } = laptop
  await setUpProvider(page, { name: 'Kitchen', baseUrl: provider.baseUrl, model: 'kitchen-1', key: 'a key' })
  await page.getByTestId('close-dialog').click()
  await newFolder(page, 'Kitchen')
  await newChat(page, 'Bread baking')
  await say(page, 'How long does sourdough prove at 24 °C, and how do I see that it is ready?')
  await page.locator('[data-testid=message][data-outcome=done]').last().waitFor()
  await page.getByTestId('message').last().hover()
  await page.getByTestId('regenerate').click()
  await page.locator('[data-testid=message][data-outcome=done]').last().waitFor()
  await page.getByTestId('branch-label').waitFor()
  await newChat(page, 'The plan')
  await say(page, 'Draw it')
  await page.locator('[data-testid=message][data-outcome=done]').last().waitFor()
  await newChat(page, 'A long rise')
  await page.getByTestId('new-chat').click()
  await say(page, 'كيف أخبز خبز العجين المخمر عند 24 °C؟ (sourdough)')
  await page.locator('[data-testid=message][data-outcome=done]').last().waitFor()
  await newChat(page, 'A title that goes on for much longer than any sidebar is wide, or should be')
  await say(page, 'Please refuse this')
  await page.locator('[data-testid=outcome]').last().waitFor()
  await newChat(page, 'Gone tomorrow')
  await treeItem(page, { title: 'Gone tomorrow' }).click()
  await page.keyboard.press('Delete')
  const link = await invite(page, 'editor')
  const ben = accountOf('Ben')
  const other = await acceptInvite(stage, 'other', ben, link)
  const lent = await stage.device('lent')
  await openT69(lent.page, lent.url)
  await signIn(lent.page, ben)
  await openSpace(lent.page, await spaceOf(page))
  await signOut(lent.page)
  await signIn(lent.page, accountOf('Anna'))
  const seats = await Promise.all(
    [laptop, other, lent].map(
      async (device) => [device, await device.context.newCDPSession(device.page)] as const,
    ),
  )

  for (const { language, width, height, scheme } of looks) {
    const look = `${language} ${width} ${scheme}`
    const seeOn = async (device: Device, what: string): Promise<void> => {
      expect.soft(await tooWide(device.page), `${what}, ${look}`).toEqual([])
      if (width < 760) expect.soft(await tooSmall(device.page), `${what}, ${look}`).toEqual([])
      await stage.shot(device, `${look} ${what}`)
    }
    const see = (what: string): Promise<void> => seeOn(laptop, what)
    const dialog = async (what: string, open: () => Promise<void>): Promise<void> => {
      await open()
      const shown = page.locator('dialog[open]').first()
      await shown.waitFor()
      // As high as the tallest, so that nothing moves while more of it arrives. On a phone, a dialog is a sheet from below.
      const top = await shown.evaluate((element: HTMLElement) => element.offsetTop)
      if (width >= 760) expect.soft(top, `the top of ${what}, ${look}`).toBe((height - 760) / 2)
      await see(what)
      await page.keyboard.press('Escape')
      await page.locator('dialog[open]').waitFor({ state: 'hidden' })
    }
    const fromMenu = async (menu: string, entry: string): Promise<void> => {
      await showSidebar(page)
      await page.getByTestId(menu).click()
      await page.getByTestId(entry).click()
    }
    for (const [device, devtools] of seats) {
      // A phone is touched: what is pressed is larger there.
      await devtools.send('Emulation.setTouchEmulationEnabled', { enabled: width < 760 })
      await device.page.setViewportSize({ width, height })
      await device.page.emulateMedia({ colorScheme: scheme })
      await device.page.evaluate((it) => localStorage.setItem('t69-locale', it), language)
      await reload(device.page)
      await ready(device.page)
    }
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
    await page.getByRole('menuitem').first().waitFor()
    await see('the menu of the space')
    await page.keyboard.press('Escape')
    await page.getByTestId('account').click()
    await page.getByRole('menuitem').first().waitFor()
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
    await dialog('devices', async () => {
      await fromMenu('account', 'devices')
      await page.getByTestId('device').first().waitFor()
    })
    await dialog('sync', async () => {
      await hideSidebar(page)
      await page.getByTestId('sync-status').click()
    })
    await page.getByTestId('model-picker').click()
    await page.getByTestId('pick-assistants').waitFor()
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
    const untitled = language === 'ar' ? 'محادثة جديدة' : 'New chat'
    expect.soft(await page.getByTestId('chat-title').inputValue(), look).toBe(untitled)
    await see('a new chat')

    const openChat = async (of: Device, title: string): Promise<void> => {
      await showSidebar(of.page)
      const kitchen = treeItem(of.page, { title: 'Kitchen' })
      if ((await kitchen.getAttribute('aria-expanded')) === 'false')
        await kitchen.getByTestId('tree-toggle').click()
      await treeItem(of.page, { title }).click()
      await hideSidebar(of.page)
    }
    await openChat(laptop, 'The plan')
    await page.getByTestId('show-diagram').click()
    await page.getByTestId('diagram').locator('img').waitFor()
    await see('a diagram')
    await openChat(laptop, 'A long rise')
    await say(page, `Slowly, ${look}`)
    await page.getByTestId('message').last().getByText('mixed').waitFor()
    await see('a reply that is written')
    await page.getByTestId('stop-reply').click()
    await page.getByTestId('stop-reply').waitFor({ state: 'detached' })
    if (width >= 1000) {
      await page.keyboard.press('Control+Backslash')
      await page.getByTestId('empty-pane').waitFor()
      await see('an empty side')
      await openChat(laptop, 'The plan')
      await page.locator('[data-testid=panes][data-count="2"]').waitFor()
      await see('side by side')
      await page.getByTestId('tab-menu').last().click()
      await page.getByTestId('close-split').click()
      await page.locator('[data-testid=panes][data-count="1"]').waitFor()
    }
    await openChat(other, 'The plan')
    await other.goOffline()
    await say(other.page, `@Anna, this is how, ${look}`)
    await other.page.locator('[data-testid=sync-status][data-phase=offline]').waitFor()
    const isCut = ({ scrollWidth, clientWidth }: HTMLElement): boolean => scrollWidth > clientWidth + 1
    const words = other.page.getByTestId('sync-status').getByRole('status')
    expect.soft(await words.evaluate(isCut), look).toBe(false)
    await seeOn(other, 'offline')
    // Meanwhile she is elsewhere.
    await openChat(laptop, 'Bread baking')
    await other.goOnline()
    await showSidebar(page)
    await treeItem(page, { title: 'The plan' }).getByTestId('chat-mention').waitFor()
    await see('something new')
    await treeItem(page, { title: 'The plan' }).click({ modifiers: ['Shift'] })
    await page.getByTestId('selection-bar').waitFor()
    await see('several are selected')
    await page.getByTestId('selection-delete').click()
    await page.getByTestId('notice').getByTestId('undo').waitFor()
    await see('what was deleted')
    await page.getByTestId('notice').getByTestId('undo').click()
    await treeItem(page, { title: 'The plan' }).waitFor()
    await page.getByTestId('account').click()
    await page.getByTestId('admin').click()
    await page.getByTestId('admin-figures').waitFor()
    await see('the admin page')
    await page.getByTestId('admin-people').click()
    await page.getByTestId('admin-person').first().click()
    await page.getByTestId('admin-user').waitFor()
    await see('a person, for the admin')
    await page.getByTestId('leave-admin').click()
    await page.getByTestId('admin-page').waitFor({ state: 'detached' })

    await showSidebar(lent.page)
    await lent.page.getByTestId('space-switcher').click()
    await lent.page.getByRole('menuitem').first().waitFor()
    await seeOn(lent, 'a locked space')
    await lent.page.keyboard.press('Escape')
    await hideSidebar(lent.page)

    const guest = await stage.device('guest', {
      viewport: { width, height },
      hasTouch: width < 760,
      colorScheme: scheme,
      locale: language,
    })
    const seeGuest = (what: string): Promise<void> => seeOn(guest, what)
    // Of the link that leads nowhere.
    guest.expectErrors(/status of 404/)
    await openT69(guest.page, guest.url)
    await seeGuest('a first visit')
    await guest.page.getByTestId('provider-hint').getByRole('button').first().click()
    await guest.page.getByTestId('provider-form').waitFor()
    await seeGuest('provider setup')
    await guest.page.goto(new URL(new URL(link).pathname, guest.url).href)
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
