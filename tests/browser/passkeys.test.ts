import { openIdentityProvider } from '@t69/server/testing/identity-provider'
import type { Page, Request } from 'playwright-core'
import { expect } from 'vitest'

import { violationsOn } from '../lib/axe.ts'
import type { Device } from '../lib/device.ts'
import { resetPassword } from '../lib/operator.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  newChat,
  openT69,
  ready,
  say,
  showSidebar,
  signIn,
  signOut,
  signUp,
  synced,
  treeItem,
  visit,
} from '../lib/t69-page.ts'
import { addAuthenticator } from '../lib/virtual-authenticator.ts'

const anna = accountOf('Anna')
const newPassword = 'Anna wrote this one down'

/** Browsers have passkeys for names, not for numbers. */
function named({ url }: Device): string {
  const { port } = new URL(url)
  return `http://localhost:${port}`
}

async function openPasskeys(page: Page): Promise<void> {
  await openPassword(page)
  await page.getByTestId('passkeys').click()
  await page.getByTestId('passkeys-dialog').waitFor()
}

async function openPassword(page: Page): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('account').click()
  await page.getByTestId('change-password').click()
  await page.getByTestId('password-dialog').waitFor()
}

async function leave(page: Page): Promise<void> {
  await page.getByTestId('close-dialog').click()
  await page.locator('dialog').waitFor({ state: 'detached' })
}

async function openForm(page: Page): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('sign-in').click()
}

async function signInWithPasskey(page: Page): Promise<void> {
  await openForm(page)
  await page.getByTestId('auth-passkey').click()
  await page.getByTestId('auth-dialog').waitFor({ state: 'hidden' })
}

async function isSignedIn(page: Page, name: string): Promise<void> {
  await showSidebar(page)
  await expect.poll(() => page.getByTestId('user-name').innerText()).toBe(name)
}

/** On the admin page: a link to set somebody's own password. */
async function askForLink(page: Page): Promise<void> {
  await openSelf(page)
  await page.getByTestId('admin-password-link').click()
}

/** On the admin page: the only account there is. */
async function openSelf(page: Page): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('account').click()
  await page.getByTestId('admin').click()
  await page.getByTestId('admin-people').click()
  await page.getByTestId('admin-person').click()
}

const problem = (page: Page) => page.getByTestId('account-error').innerText()

story(
  'somebody adds a passkey, signs in with it, and confirms with it what takes a password',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop", { viewport: { width: 1440, height: 900 } })
    const { page } = laptop
    const url = named(laptop)
    await stage.server.stop()
    await stage.server.start({ PUBLIC_URL: url })
    const authenticator = await addAuthenticator(page)
    laptop.expectErrors(/status of 40[13]/)

    await openT69(page, url)
    await signUp(page, anna)
    await enableSync(page)
    await newChat(page, 'Notes')
    await say(page, 'Remember the milk')
    await synced(page)

    await openPasskeys(page)
    await page.getByTestId('add-passkey').click()
    await expect.poll(() => problem(page)).toContain('Enter a name')
    await page.getByTestId('passkey-name').fill('Laptop')
    await page.getByTestId('add-passkey').click()
    await expect.poll(() => problem(page)).toContain('current password')
    await page.getByTestId('present-password').fill('guessed')
    await page.getByTestId('add-passkey').click()
    await expect.poll(() => problem(page)).toContain('not your current password')
    await page.getByTestId('present-password').fill(anna.password)
    await stage.shot(laptop, 'adding')
    await page.getByTestId('add-passkey').click()
    await page.getByTestId('passkey').waitFor()
    await stage.shot(laptop, 'added')
    expect(await authenticator.passkeys()).toBe(1)
    // The authenticator says that it has one for the account, and the dialog says so.
    await page.getByTestId('passkey-name').fill('Laptop again')
    await page.getByTestId('add-passkey').click()
    await expect.poll(() => problem(page)).toContain('here already')
    await leave(page)

    await signOut(page)
    await authenticator.recognizes(false)
    await openForm(page)
    await page.getByTestId('auth-passkey').click()
    await expect.poll(() => page.getByTestId('auth-error').innerText()).toContain('No passkey was given')
    await stage.shot(laptop, 'not recognized')
    await leave(page)
    await authenticator.recognizes(true)
    await signInWithPasskey(page)
    await isSignedIn(page, 'Anna')
    // Her space opens again, where the new chat belongs.
    await treeItem(page, { title: 'Notes' }).waitFor()
    await newChat(page, 'More notes')
    await synced(page)
    await openPasskeys(page)
    await expect.poll(() => page.getByTestId('passkey').innerText()).toContain('last used on')
    await leave(page)

    // Another password takes it away, unless it is what confirmed that.
    await openPassword(page)
    await page.getByTestId('confirm-by-passkey').waitFor()
    await page.getByTestId('new-password').fill(newPassword)
    await stage.shot(laptop, 'another password')
    await page.getByTestId('password-submit').click()
    await page.getByTestId('password-dialog').waitFor({ state: 'hidden' })
    await signOut(page)
    await signInWithPasskey(page)
    // Her space opens again, which closes a menu.
    await treeItem(page, { title: 'Notes' }).waitFor()
    await synced(page)
    await openPasskeys(page)
    await page.getByTestId('remove-passkey').click()
    await page.getByTestId('passkey').waitFor({ state: 'detached' })
    await stage.shot(laptop, 'removed')
    // Nor does the laptop offer it any more.
    await expect.poll(() => authenticator.passkeys()).toBe(0)

    // One that the server refuses is not left there either.
    const adding = (request: Request) =>
      request.method() === 'POST' && request.url().endsWith('/api/auth/passkeys')
    const refusal = { error: { code: 'wrong_credentials', message: 'This passkey does not fit' } }
    await page.route('**/api/auth/passkeys', (route) =>
      adding(route.request()) ? route.fulfill({ status: 401, json: refusal }) : route.continue(),
    )
    const add = async (): Promise<void> => {
      await page.getByTestId('passkey-name').fill('Laptop')
      await page.getByTestId('present-password').fill(newPassword)
      await page.getByTestId('add-passkey').click()
    }
    await add()
    await expect.poll(() => problem(page)).toContain('does not fit')
    await expect.poll(() => authenticator.passkeys()).toBe(0)

    // And one is there if only the answer was lost.
    await page.unroute('**/api/auth/passkeys')
    laptop.expectErrors(/ERR_FAILED/)
    await page.route('**/api/auth/passkeys', async (route) => {
      if (!adding(route.request())) return route.continue()
      await route.fetch()
      await route.abort()
    })
    await add()
    await page.getByTestId('passkey').waitFor()
    expect(await authenticator.passkeys()).toBe(1)
    expect(await page.getByTestId('account-error').count()).toBe(0)
    await leave(page)
    await signOut(page)

    // The operator's command takes it away, of which the laptop knows nothing.
    await resetPassword(stage.server.dataDir, anna.email, anna.password)
    await openForm(page)
    await page.getByTestId('auth-passkey').click()
    await expect.poll(() => page.getByTestId('auth-error').innerText()).toContain('does not fit')
    await leave(page)
    await signIn(page, anna)
  },
)

story('an account of a provider gets a passkey, and is disconnected and deleted by it', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  const url = named(laptop)
  await using provider = await openIdentityProvider(url)
  provider.signsIn = { sub: 'anna', email: 'anna@example.org', email_verified: true, name: 'Anna' }
  await stage.server.stop()
  await stage.server.start({ ...provider.env, PUBLIC_URL: url })
  const authenticator = await addAuthenticator(page)
  laptop.expectErrors(/status of 40[139]/)
  async function throughProvider(): Promise<void> {
    await page.context().clearCookies({ name: /^_/ })
    await page.getByTestId('provider').click()
    await page.locator('#continue').click()
    await ready(page)
  }

  await openT69(page, url)
  await openForm(page)
  await throughProvider()
  await isSignedIn(page, 'Anna')
  // The first account is an admin's. Nothing shows there who it is, yet.
  await askForLink(page)
  await page.getByTestId('admin-no-proof').waitFor()
  expect(await page.getByTestId('admin-confirm-submit').isDisabled()).toBe(true)
  await stage.shot(laptop, 'no proof')
  expect(await violationsOn(page)).toEqual([])
  await openT69(page, url)
  await openPasskeys(page)
  await page.getByTestId('provider').waitFor()
  expect(await page.getByTestId('add-passkey').count()).toBe(0)
  await stage.shot(laptop, 'who is it')
  await throughProvider()
  await page.getByTestId('passkey-name').fill('Laptop')
  await page.getByTestId('add-passkey').click()
  await page.getByTestId('passkey').waitFor()
  expect(await authenticator.passkeys()).toBe(1)
  // The visit was used, and the passkey takes its place.
  await page.getByTestId('confirm-by-passkey').waitFor()
  await page.getByTestId('passkey-name').fill('Laptop again')
  await page.getByTestId('add-passkey').click()
  await expect.poll(() => problem(page)).toContain('here already')
  await leave(page)

  await askForLink(page)
  await page.getByTestId('confirm-by-passkey').waitFor()
  await stage.shot(laptop, 'a link by a passkey')
  expect(await violationsOn(page)).toEqual([])
  await page.getByTestId('admin-confirm-submit').click()
  await page.getByTestId('admin-link-url').waitFor()
  await visit(page, url)
  await ready(page)

  await openPassword(page)
  await stage.shot(laptop, 'connected')
  expect(await violationsOn(page)).toEqual([])
  await page.getByTestId('disconnect').click()
  await page.getByTestId('disconnect').waitFor({ state: 'detached' })
  await page.getByTestId('provider').waitFor()
  await stage.shot(laptop, 'disconnected')
  expect(await violationsOn(page)).toEqual([])
  await leave(page)
  await openPasskeys(page)
  await page.getByTestId('remove-passkey').click()
  await expect.poll(() => problem(page)).toContain('Set a password first')
  await stage.shot(laptop, 'the last way')
  expect(await violationsOn(page)).toEqual([])
  await leave(page)

  // Where the browser has no passkeys, nothing shows that it is she, which is said before she tries.
  const tab = await page.context().newPage()
  await tab.addInitScript(() => void Reflect.deleteProperty(globalThis, 'PublicKeyCredential'))
  await openT69(tab, url)
  await openPassword(tab)
  await expect
    .poll(() => tab.getByTestId('no-proof').innerText())
    .toContain('passkeys do not work in this browser')
  expect(await tab.getByTestId('password-submit').count()).toBe(0)
  await leave(tab)
  await openSelf(tab)
  await expect.poll(() => tab.getByTestId('admin-passkeys').innerText()).toContain('Laptop')
  await tab.getByTestId('admin-password-link').click()
  await tab.getByTestId('no-proof').waitFor()
  expect(await tab.getByTestId('admin-confirm-submit').isDisabled()).toBe(true)
  await tab.close()

  // The provider lets her in no more, though it knows the address to be hers.
  await signOut(page)
  const stranger = await page.context().newPage()
  await stranger.addInitScript(() => void Reflect.deleteProperty(globalThis, 'PublicKeyCredential'))
  await openT69(stranger, url)
  await openForm(stranger)
  await stranger.getByTestId('auth-no-passkeys').waitFor()
  expect(await stranger.getByTestId('auth-passkey').count()).toBe(0)
  await stranger.close()
  await openForm(page)
  await throughProvider()
  await page.getByTestId('auth-dialog').waitFor()
  await expect
    .poll(() => page.getByTestId('auth-dialog').innerText())
    .toContain('You have disconnected your account')
  await leave(page)
  await signInWithPasskey(page)
  await isSignedIn(page, 'Anna')

  await showSidebar(page)
  await page.getByTestId('account').click()
  await page.getByTestId('delete-account').click()
  await page.getByTestId('confirm-by-passkey').waitFor()
  await page.getByTestId('delete-account-submit').click()
  await page.getByTestId('sign-in').waitFor({ state: 'attached' })
  await expect.poll(() => authenticator.passkeys()).toBe(0)
})

for (const [look, context] of [
  ['in the light', { colorScheme: 'light' }],
  [
    'in the dark, in Arabic on a phone',
    { colorScheme: 'dark', locale: 'ar', viewport: { width: 390, height: 844 } },
  ],
] as const) {
  story(`axe finds nothing wrong in the dialogs about passkeys, ${look}`, async (stage) => {
    const device = await stage.device("Anna's device", context)
    const { page } = device
    const url = named(device)
    await stage.server.stop()
    await stage.server.start({ PUBLIC_URL: url })
    await addAuthenticator(page)
    const found: Record<string, string[]> = {}
    async function check(state: string): Promise<void> {
      await stage.shot(device, state)
      const violations = await violationsOn(page)
      if (violations.length > 0) found[state] = violations
    }

    await openT69(page, url)
    await openForm(page)
    await page.getByTestId('auth-passkey').waitFor()
    await check('the form')
    await leave(page)
    await signUp(page, anna)
    await openPasskeys(page)
    await page.getByTestId('present-password').waitFor()
    await check('none')
    await page.getByTestId('passkey-name').fill('Laptop')
    await page.getByTestId('add-passkey').click()
    await page.getByTestId('account-error').waitFor()
    await check('a problem')
    await page.getByTestId('present-password').fill(anna.password)
    await page.getByTestId('add-passkey').click()
    await page.getByTestId('passkey').waitFor()
    await page.getByTestId('confirm-by-passkey').waitFor()
    await check('one')
    await leave(page)
    await openPassword(page)
    await page.getByTestId('confirm-by-passkey').waitFor()
    await check('another password')
    expect(found).toEqual({})
  })
}
