import { openMailbox } from '@t69/server/testing/mailbox'
import { expect } from 'vitest'

import { settled } from '../lib/settled.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  message,
  newChat,
  openT69,
  say,
  showSidebar,
  signIn,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')
const handheld = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }

const mailbox = await openMailbox()
const env = { SMTP_URL: mailbox.url, MAIL_FROM: 't69@example.org', PUBLIC_URL: 'http://t69.example' }

story(
  'somebody who forgot the password is sent a link by mail, and signs in with it on the phone',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    await newChat(laptop.page, 'Notes')
    await say(laptop.page, 'Remember the milk')
    await synced(laptop.page)

    const phone = await stage.device("Anna's phone", handheld)
    const { page } = phone
    await openT69(page, phone.url)
    await showSidebar(page)
    await page.getByTestId('sign-in').click()
    await page.getByTestId('auth-email').fill(anna.email)
    await page.getByTestId('auth-forgotten').click()
    expect(await page.getByTestId('forgotten-email').inputValue()).toBe(anna.email)
    await stage.shot(phone, 'the form')
    await page.getByTestId('forgotten-back').click()
    await page.getByTestId('auth-forgotten').click()

    await page.getByTestId('forgotten-email').fill('nobody@example.org')
    await page.getByTestId('forgotten-submit').click()
    expect(await page.getByTestId('forgotten-sent').innerText()).toContain('nobody@example.org')
    await stage.shot(phone, 'sent')
    await page.getByTestId('forgotten-again').click()
    const mail = mailbox.next('#set-password=')
    await page.getByTestId('forgotten-email').fill(anna.email)
    await page.getByTestId('forgotten-submit').click()
    await page.getByTestId('forgotten-close').click()

    const hash = /http:\/\/t69\.example\/(#set-password=[\w-]+)/.exec(await mail)?.[1]
    expect(mailbox.mails.join()).not.toContain('nobody')
    // What was closed leaves the history first.
    await settled(() => page.evaluate((): unknown => history.state))
    await page.evaluate((hash) => void (location.hash = hash), hash ?? '')
    await page.getByTestId('new-password').fill('Anna wrote this one down')
    const note = mailbox.next('The password of your t69 account was changed')
    await page.getByTestId('password-submit').click()
    await page.getByTestId('set-password-dialog').waitFor({ state: 'hidden' })
    expect(await note).toContain(`To: ${anna.email}`)
    await showSidebar(page)
    await treeItem(page, { title: 'Notes' }).click()
    await message(page, 'Remember the milk').waitFor()
    await laptop.page.getByTestId('session-ended').waitFor()
    laptop.expectErrors(/status of 401/)
  },
  { env },
)

story(
  'somebody changes the address of the account by a link to the new one, and signs in with it elsewhere',
  async (stage) => {
    const ben = accountOf('Ben')
    const laptop = await openOwnSpace(stage, "Ben's laptop", ben)
    const { page } = laptop
    await newChat(page, 'Band')
    await synced(page)
    await page.getByTestId('account').click()
    await page.getByTestId('change-password').click()
    await page.getByTestId('change-address').click()
    laptop.expectErrors(/status of (?:400|401|410)/)
    await page.getByTestId('new-address').fill('ben at home')
    await page.getByTestId('present-password').fill(ben.password)
    await page.getByTestId('address-submit').click()
    await expect.poll(() => page.getByTestId('account-error').innerText()).toContain('valid e-mail')
    await page.getByTestId('new-address').fill('ben@home.example')
    await stage.shot(laptop, 'the form')
    const mail = mailbox.next('#confirm-address=')
    await page.getByTestId('address-submit').click()
    await page.getByTestId('address-sent').waitFor()
    await stage.shot(laptop, 'sent')
    await page.getByTestId('address-close').click()
    const hash = /http:\/\/t69\.example\/(#confirm-address=[\w-]+)/.exec(await mail)?.[1] ?? ''

    // Where nobody is signed in, the link does nothing.
    const phone = await stage.device("Ben's phone", handheld)
    await openT69(phone.page, `${phone.url}/${hash}`)
    await phone.page.getByTestId('confirm-signed-out').waitFor()
    expect(phone.page.url()).not.toContain('confirm')
    await phone.page.getByTestId('cancel').click()

    await page.evaluate((hash) => void (location.hash = hash), hash)
    await page.getByTestId('confirm-address').waitFor()
    await stage.shot(laptop, 'the question')
    const note = mailbox.next('another address')
    await page.getByTestId('confirm-address').click()
    await expect.poll(() => page.getByTestId('notice').innerText()).toContain('ben@home.example')
    expect(await note).toContain(`To: ${ben.email}`)
    await say(page, 'I moved')
    await synced(page)

    await page.evaluate((hash) => void (location.hash = hash), hash)
    await page.getByTestId('confirm-address').click()
    await expect.poll(() => page.getByTestId('account-error').innerText()).toContain('was used')
    await signIn(phone.page, { ...ben, email: 'ben@home.example' })
    await showSidebar(phone.page)
    await treeItem(phone.page, { title: 'Band' }).waitFor()
  },
  { env },
)
