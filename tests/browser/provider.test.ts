import { openIdentityProvider } from '@t69/server/testing/identity-provider'
import { openMailbox } from '@t69/server/testing/mailbox'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { violationsOn } from '../lib/axe.ts'
import { settled } from '../lib/settled.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  message,
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
} from '../lib/t69-page.ts'

const annas = { sub: 'anna', email: 'anna@example.org', email_verified: true, name: 'Anna of Example' }
const bens = { sub: 'ben', email: 'ben@example.org', email_verified: true, name: 'Ben of Example' }
const password = 'Anna wrote this one down'

/** Presses the button of the dialog that is open, and the one of the provider's page, which has forgotten everybody. */
async function throughProvider(page: Page): Promise<void> {
  await page.context().clearCookies({ name: /^_/ })
  await page.getByTestId('provider').click()
  await page.locator('#continue').click()
  await ready(page)
}

/**
 * The same on a slow line: the page does not know yet that its user has no password. What it returns lets it know, and waits until it
 * does.
 */
async function visitWithoutAnswer(page: Page): Promise<() => Promise<void>> {
  const ways = '**/api/me/ways-to-sign-in'
  await page.getByTestId('provider').waitFor()
  const released = Promise.withResolvers<void>()
  await page.route(ways, async (route) => {
    await released.promise
    await route.continue()
  })
  await throughProvider(page)
  return async () => {
    const answered = page.waitForResponse(ways)
    released.resolve()
    await (await answered).finished()
    await page.unroute(ways)
  }
}

async function openForm(page: Page, form: 'sign-in' | 'sign-up'): Promise<void> {
  await showSidebar(page)
  await page.getByTestId(form).click()
}

async function chooseInAccountMenu(page: Page, item: 'change-password' | 'delete-account'): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('account').click()
  await page.getByTestId(item).click()
}

async function isSignedIn(page: Page, name: string): Promise<void> {
  await showSidebar(page)
  await expect.poll(() => page.getByTestId('user-name').innerText()).toBe(name)
}

story('somebody signs up and in through a provider, and sets a password', async (stage) => {
  const laptop = await stage.device("Anna's laptop", { viewport: { width: 1440, height: 900 } })
  const { page } = laptop
  await using provider = await openIdentityProvider(laptop.url)
  provider.signsIn = annas
  await stage.server.stop()
  await stage.server.start({ ...provider.env, PUBLIC_URL: laptop.url })

  await openT69(page, laptop.url)
  await openForm(page, 'sign-up')
  await page.getByTestId('provider').waitFor()
  await stage.shot(laptop, 'the form')
  provider.declines = true
  await throughProvider(page)
  await expect.poll(() => page.getByTestId('notice').innerText()).toContain('Nothing has changed')
  expect(page.url()).not.toContain('provider')
  provider.declines = false
  await openForm(page, 'sign-up')
  await throughProvider(page)
  await isSignedIn(page, 'Anna of Example')
  await enableSync(page)
  await newChat(page, 'Notes')
  await say(page, 'Remember the milk')
  await synced(page)

  await chooseInAccountMenu(page, 'change-password')
  await stage.shot(laptop, 'no password')
  await throughProvider(page)
  await page.getByTestId('new-password').fill(password)
  await stage.shot(laptop, 'a first password')
  await page.getByTestId('password-submit').click()
  await page.getByTestId('password-dialog').waitFor({ state: 'hidden' })
  await signOut(page)
  await signIn(page, { ...accountOf('Anna'), email: annas.email, password })
  // Her space opens again, which closes a menu.
  await treeItem(page, { title: 'Notes' }).waitFor()
  await synced(page)
  await signOut(page)

  // The provider's name for her is what counts, whatever her address there is by now.
  provider.signsIn = { ...annas, email: 'anna@elsewhere.example', email_verified: false }
  await openForm(page, 'sign-in')
  await throughProvider(page)
  await isSignedIn(page, 'Anna of Example')
  await treeItem(page, { title: 'Notes' }).click()
  await message(page, 'Remember the milk').waitFor()
})

story(
  'an account with a password is connected with the provider, and one without is deleted',
  async (stage) => {
    const laptop = await stage.device("Ben's laptop")
    const { page } = laptop
    await using provider = await openIdentityProvider(laptop.url)
    provider.signsIn = bens
    await stage.server.stop()
    await stage.server.start({ ...provider.env, PUBLIC_URL: laptop.url })

    const ben = accountOf('Ben')
    await openT69(page, laptop.url)
    await signUp(page, { ...ben, email: bens.email })
    await signOut(page)
    // Nobody has shown whose the address is: the password does.
    laptop.expectErrors(/status of (?:409|401|503)/)
    await openForm(page, 'sign-in')
    await throughProvider(page)
    await expect.poll(() => page.getByTestId('auth-dialog').innerText()).toContain('There is an account with')
    await stage.shot(laptop, 'not connected')
    await page.getByTestId('close-dialog').click()
    await signIn(page, { ...ben, email: bens.email })
    await chooseInAccountMenu(page, 'change-password')
    await page.getByTestId('provider').click()
    await expect.poll(() => page.getByTestId('provider-error').innerText()).toContain('current password')
    await page.getByTestId('present-password').fill('guessed')
    await page.getByTestId('provider').click()
    await expect
      .poll(() => page.getByTestId('provider-error').innerText())
      .toContain('not your current password')
    await page.getByTestId('present-password').fill(ben.password)
    await stage.shot(laptop, 'connecting')
    await throughProvider(page)
    await expect.poll(() => page.getByTestId('notice').innerText()).toContain('from now on')
    await chooseInAccountMenu(page, 'change-password')
    await page.getByTestId('connected').waitFor()
    await stage.shot(laptop, 'connected')
    await page.getByTestId('disconnect').click()
    await expect.poll(() => page.getByTestId('account-error').innerText()).toContain('current password')
    await page.getByTestId('present-password').fill(ben.password)
    await page.getByTestId('disconnect').click()
    await page.getByTestId('provider').waitFor()
    await page.getByTestId('present-password').fill(ben.password)
    await throughProvider(page)
    await expect.poll(() => page.getByTestId('notice').innerText()).toContain('from now on')
    await chooseInAccountMenu(page, 'change-password')
    await page.getByTestId('connected').waitFor()
    await page.getByTestId('close-dialog').click()
    await signOut(page)
    await openForm(page, 'sign-in')
    await throughProvider(page)
    await isSignedIn(page, 'Ben')
    await signOut(page)

    // Somebody else at the same computer has no password here.
    provider.signsIn = annas
    await openForm(page, 'sign-in')
    await throughProvider(page)
    await isSignedIn(page, 'Anna of Example')
    await chooseInAccountMenu(page, 'delete-account')
    await page.getByTestId('provider').waitFor()
    expect(await page.getByTestId('delete-account-submit').isDisabled()).toBe(true)
    await stage.shot(laptop, 'deleting')
    provider.signsIn = bens
    const answerLate = await visitWithoutAnswer(page)
    await page.getByTestId('delete-account-submit').click()
    await answerLate()
    await expect
      .poll(() => page.getByTestId('account-error').innerText())
      .toContain('did not show that it is you')
    await page.getByTestId('close-dialog').click()
    provider.signsIn = annas
    await chooseInAccountMenu(page, 'delete-account')
    const answerTooLate = await visitWithoutAnswer(page)
    await page.getByTestId('delete-account-submit').click()
    await page.getByTestId('cancel').click()
    await answerTooLate()
    await isSignedIn(page, 'Anna of Example')
    await chooseInAccountMenu(page, 'delete-account')
    await throughProvider(page)
    await page.getByTestId('delete-account-submit').click()
    await page.getByTestId('sign-in').waitFor({ state: 'attached' })

    provider.isDown = true
    await stage.server.stop()
    await stage.server.start({ ...provider.env, PUBLIC_URL: laptop.url })
    laptop.expectLostConnections()
    await openForm(page, 'sign-in')
    await page.getByTestId('provider').click()
    await expect.poll(() => page.getByTestId('provider-error').innerText()).toContain('cannot be reached')
    await stage.shot(laptop, 'down')
  },
)

for (const [look, context] of [
  ['in the light', { colorScheme: 'light' }],
  [
    'in the dark, in Arabic on a phone',
    { colorScheme: 'dark', locale: 'ar', viewport: { width: 390, height: 844 } },
  ],
] as const) {
  story(`axe finds nothing wrong in the dialogs that mail and a provider add, ${look}`, async (stage) => {
    const device = await stage.device("Anna's device", context)
    const { page } = device
    await using provider = await openIdentityProvider(device.url)
    await using mailbox = await openMailbox()
    provider.signsIn = annas
    const mail = { SMTP_URL: mailbox.url, MAIL_FROM: 't69@example.org' }
    await stage.server.stop()
    await stage.server.start({ ...provider.env, ...mail, PUBLIC_URL: device.url })
    const found: Record<string, string[]> = {}
    async function check(state: string): Promise<void> {
      await stage.shot(device, state)
      const violations = await violationsOn(page)
      if (violations.length > 0) found[state] = violations
    }
    const leave = async (): Promise<void> => {
      await page.getByTestId('close-dialog').click()
      await page.locator('dialog').waitFor({ state: 'detached' })
    }

    await openT69(page, device.url)
    await openForm(page, 'sign-in')
    await page.getByTestId('auth-forgotten').waitFor()
    await check('the form')
    await page.getByTestId('auth-forgotten').click()
    await page.getByTestId('forgotten-email').fill(annas.email)
    await check('forgotten')
    await page.getByTestId('forgotten-submit').click()
    await page.getByTestId('forgotten-sent').waitFor()
    await check('sent')
    await leave()
    await openForm(page, 'sign-in')
    await throughProvider(page)
    await isSignedIn(page, 'Anna of Example')
    await chooseInAccountMenu(page, 'change-password')
    await page.getByTestId('change-address').waitFor()
    await check('no password')
    await page.getByTestId('change-address').click()
    await page.getByTestId('provider').waitFor()
    await check('confirming')
    await throughProvider(page)
    await page.getByTestId('new-address').fill('anna@home.example')
    await check('another address')
    const next = mailbox.next('#confirm-address=')
    await page.getByTestId('address-submit').click()
    await page.getByTestId('address-sent').waitFor()
    await check('a link to it')
    await page.getByTestId('address-close').click()
    const hash = /#confirm-address=[\w-]+/.exec(await next)?.[0] ?? ''
    // What was closed leaves the history first.
    await settled(() => page.evaluate((): unknown => history.state))
    await page.evaluate((hash) => void (location.hash = hash), hash)
    await page.getByTestId('confirm-address').waitFor()
    await check('confirming the address')
    await page.getByTestId('confirm-address').click()
    await expect.poll(() => page.getByTestId('notice').innerText()).toContain('anna@home.example')
    await chooseInAccountMenu(page, 'delete-account')
    await page.getByTestId('provider').waitFor()
    await check('deleting')
    expect(found).toEqual({})
  })
}
