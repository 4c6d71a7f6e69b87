import type { InviteRole } from '@t69/protocol'
import { expect } from 'vitest'

import type { Finds, Locator, LocatorOf, Page } from './page.ts'

/** Uses t69 as a person does. The test ids are those of apps/t69/README.md. */

export interface Account {
  readonly name: string
  readonly email: string
  readonly password: string
}

export function accountOf(name: string): Account {
  return { name, email: `${name.toLowerCase()}@example.org`, password: `${name} likes long passwords` }
}

/** Opens the app and waits until a space is on screen. */
export async function openT69(page: Page, url: string): Promise<void> {
  await page.goto(url)
  await ready(page)
}

export async function ready(page: Page): Promise<void> {
  await page.locator('[data-testid=app][data-ready=true]').waitFor()
}

/** Reloads the page, where nothing lies over it. */
export async function reload(page: Page): Promise<void> {
  await wentBack(page)
  await page.reload()
}

/** Goes to another address from the app, where nothing lies over the page. */
export async function visit(page: Page, url: string): Promise<void> {
  await wentBack(page)
  await page.goto(url)
}

/**
 * What was closed a moment ago still has its entry in the history, and a page that is asked for while the tab goes back from it
 * would be given up.
 */
async function wentBack(page: Page): Promise<void> {
  const layer = () => page.locator('html').evaluateAll((): unknown => history.state?.layer ?? 0)
  await expect.poll(layer).toBe(0)
}

export async function signUp(page: Page, account: Account): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('sign-up').click()
  await submitSignUp(page, account)
}

/** Fills in the dialog, where it is open already. */
export async function submitSignUp(page: Page, account: Account): Promise<void> {
  const dialog = page.getByTestId('auth-dialog')
  await dialog.getByTestId('auth-name').fill(account.name)
  await dialog.getByTestId('auth-email').fill(account.email)
  await dialog.getByTestId('auth-password').fill(account.password)
  await dialog.getByTestId('auth-submit').click()
  await dialog.waitFor({ state: 'hidden' })
}

/** Signs up and joins, where an invite link was opened. Shows the space then, live. */
export async function joinAs(page: Page, account: Account): Promise<void> {
  await page.getByTestId('invite-sign-up').click()
  await submitSignUp(page, account)
  await page.getByTestId('invite-join').click()
  await page.getByTestId('invite-dialog').waitFor({ state: 'hidden' })
  await ready(page)
  await synced(page)
}

export async function signIn(page: Page, account: Account): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('sign-in').click()
  const dialog = page.getByTestId('auth-dialog')
  await dialog.getByTestId('auth-email').fill(account.email)
  await dialog.getByTestId('auth-password').fill(account.password)
  await dialog.getByTestId('auth-submit').click()
  await dialog.waitFor({ state: 'hidden' })
}

/** Signs out, and keeps the spaces on the device, locked, or removes them from it. */
export async function signOut(page: Page, spaces: 'keep' | 'forget' = 'keep'): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('account').click()
  await page.getByTestId('sign-out').click()
  const dialog = page.getByTestId('sign-out-dialog')
  await dialog.getByTestId(`sign-out-${spaces}`).click()
  await dialog.getByTestId('confirm').click()
  await dialog.waitFor({ state: 'hidden' })
  await page.getByTestId('sign-in').waitFor({ state: 'attached' })
  await ready(page)
}

export async function enableSync(page: Page): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('enable-sync').click()
  await synced(page)
}

/** Waits until the space is live and no edits wait. */
export async function synced(page: Page): Promise<void> {
  await page.locator('[data-testid=sync-status][data-phase=live][data-pending="0"]').waitFor()
}

/** The id of the space on screen. */
export async function spaceOf(page: Page): Promise<string> {
  return (await page.getByTestId('app').getAttribute('data-space-id')) ?? ''
}

/** Opens a space from the switcher, once it is listed: after a sign-in, the list takes a moment. */
export async function openSpace(page: Page, spaceId: string): Promise<void> {
  const item = page.locator(`[data-testid=space-item][data-space-id="${spaceId}"]`)
  await expect
    .poll(
      async () => {
        if ((await spaceOf(page)) === spaceId) return true
        await showSidebar(page)
        if (!(await item.isVisible())) await page.getByTestId('space-switcher').click()
        await item.click({ timeout: 1_000 }).catch(() => {})
        return (await spaceOf(page)) === spaceId
      },
      { interval: 200 },
    )
    .toBe(true)
  await ready(page)
}

/** Creates a space and opens it. */
export async function newSpace(page: Page, name: string): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('space-switcher').click()
  await page.getByTestId('create-space').click()
  await page.getByTestId('name-input').fill(name)
  await page.getByTestId('name-submit').click()
  await expect.poll(() => page.getByTestId('space-name').innerText()).toBe(name)
}

export async function status(
  page: Page,
): Promise<{ phase: string; pending: number; head: number; text: string }> {
  const button = page.getByTestId('sync-status')
  return {
    phase: (await button.getAttribute('data-phase')) ?? '',
    pending: Number(await button.getAttribute('data-pending')),
    head: Number(await button.getAttribute('data-head')),
    text: (await button.innerText()).trim(),
  }
}

/**
 * Waits until the edits on screen are on this device's disk, which takes a frame. From then on they count as waiting,
 * or the server has them already.
 */
export async function stored(page: Page, before: { head: number }): Promise<void> {
  await expect
    .poll(async () => {
      const { pending, head } = await status(page)
      return pending > 0 || head > before.head
    })
    .toBe(true)
}

/** Opens the sidebar where it is a drawer, as on a phone. */
export async function showSidebar(page: Page): Promise<void> {
  const opener = page.getByTestId('open-sidebar')
  if ((await opener.isVisible()) && !(await isDrawerOpen(page))) await opener.click()
}

export async function hideSidebar(page: Page): Promise<void> {
  if (await isDrawerOpen(page)) await page.getByTestId('close-sidebar').click()
}

/** Read from the attribute, because the drawer stays visible for a moment after it was closed. */
async function isDrawerOpen(page: Page): Promise<boolean> {
  return (await page.getByTestId('sidebar').getAttribute('data-open')) === 'true'
}

/** Creates a chat with a title in the selected folder, or at the top, and opens it. */
export async function newChat(page: Page, title: string): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('new-chat').click()
  // Only an empty chat has no row in the sidebar yet.
  await page.locator('[data-testid=app][data-new-chat=true]').waitFor()
  await page.getByTestId('chat-title').fill(title)
  await page.getByTestId('chat-title').press('Enter')
  await treeItem(page, { title }).waitFor({ state: 'attached' })
}

export async function newFolder(page: Page, title: string): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('new-folder').click()
  const input = page.getByTestId('tree-rename')
  await input.fill(title)
  await input.press('Enter')
  await treeItem(page, { title }).waitFor()
}

export async function renameItem(page: Page, item: Locator, title: string): Promise<void> {
  const input = page.getByTestId('tree-rename')
  if (!(await input.isVisible())) {
    await showSidebar(page)
    await item.hover()
    await item.getByTestId('tree-menu').click()
    await page.getByTestId('menu-rename').click()
  }
  await input.fill(title)
  await input.press('Enter')
  await treeItem(page, { title }).waitFor()
}

/** The rows of the sidebar tree that match. */
export function treeItem<L extends LocatorOf<L>>(
  page: Finds<L>,
  wanted: { title?: string; selected?: boolean },
): L {
  const rows = page.locator(
    `[data-testid=tree-item]${wanted.selected === true ? '[aria-selected=true]' : ''}`,
  )
  if (wanted.title === undefined) return rows
  return rows.filter({ has: page.getByTestId('tree-title').getByText(wanted.title, { exact: true }) })
}

/** The titles in the sidebar, one for each row, indented by its level. */
export async function treeRows(page: Page): Promise<string[]> {
  return await page.getByTestId('tree-item').evaluateAll((rows) =>
    rows.map((row) => {
      const indent = '  '.repeat(Number(row.getAttribute('aria-level') ?? 1) - 1)
      return indent + (row.querySelector('[data-testid=tree-title]')?.textContent?.trim() ?? '')
    }),
  )
}

/** Writes a message into the open chat and waits until it is on screen. */
export async function say(page: Page, text: string): Promise<void> {
  await hideSidebar(page)
  const composer = page.getByTestId('composer')
  await composer.fill(text)
  // On glass, Enter makes a line.
  if ((await composer.getAttribute('enterkeyhint')) === 'enter') await page.getByTestId('send').click()
  else await composer.press('Enter')
  await message(page, text).waitFor()
}

export function message<L extends LocatorOf<L>>(page: Finds<L>, text: string): L {
  return page
    .getByTestId('message')
    .filter({ has: page.getByTestId('message-text').getByText(text, { exact: true }) })
}

export async function messages(page: Page): Promise<string[]> {
  const texts = await page.getByTestId('message-text').allInnerTexts()
  return texts.map((text) => text.trim())
}

/** Creates an invite link of the open space and returns it. */
export async function invite(page: Page, role: InviteRole): Promise<string> {
  await showSidebar(page)
  await page.getByTestId('share').click()
  await page.getByTestId('invite-role').selectOption(role)
  await page.getByTestId('create-invite').click()
  const link = page.getByTestId('invite-link')
  await link.waitFor()
  const address = await link.inputValue()
  await page.getByTestId('close-dialog').click()
  return address
}

/** Gives the space an AI provider, and this device the key for it. The settings stay open. */
export async function setUpProvider(
  page: Page,
  provider: { readonly name: string; readonly baseUrl: string; readonly model: string; readonly key: string },
): Promise<void> {
  await page.getByTestId('settings').click()
  await page.getByTestId('provider-name').fill(provider.name)
  await page.getByTestId('provider-base-url').fill(provider.baseUrl)
  await page.getByTestId('provider-model').fill(provider.model)
  await page.getByTestId('provider-key').fill(provider.key)
  await page.getByTestId('provider-save').click()
  await page.getByTestId('provider').first().waitFor()
}
