import { openMailbox } from '@t69/server/testing/mailbox'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  message,
  moment,
  newChat,
  openT69,
  say,
  showSidebar,
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
    const mail = mailbox.next()
    await page.getByTestId('forgotten-email').fill(anna.email)
    await page.getByTestId('forgotten-submit').click()
    await page.getByTestId('forgotten-close').click()

    const hash = /http:\/\/t69\.example\/(#set-password=[\w-]+)/.exec(await mail)?.[1]
    expect(mailbox.mails).toHaveLength(1)
    await page.evaluate((hash) => void (location.hash = hash ?? ''), hash)
    await page.getByTestId('new-password').fill('Anna wrote this one down')
    await page.getByTestId('password-submit').click()
    await page.getByTestId('set-password-dialog').waitFor({ state: 'hidden' })
    await showSidebar(page)
    await treeItem(page, { title: 'Notes' }).click()
    await message(page, 'Remember the milk').waitFor(moment)
    await laptop.page.getByTestId('session-ended').waitFor()
    laptop.expectErrors(/status of 401/)
  },
  { env },
)
