import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import type { Device } from '../lib/device.ts'
import { readStore } from '../lib/local-db.ts'
import { passwordLink } from '../lib/operator.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  hideSidebar,
  invite,
  message,
  messages,
  newChat,
  openSpace,
  openT69,
  ready,
  reload,
  say,
  showSidebar,
  signIn,
  spaceOf,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')
const ben = accountOf('Ben')
const handheld = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }

/** What Chromium itself logs about a reply that refuses something. */
const refusal = /status of 40[13]/

type AccountItem = 'change-name' | 'devices' | 'change-password' | 'delete-account'

async function chooseInAccountMenu(page: Page, item: AccountItem): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('account').click()
  await page.getByTestId(item).click()
}

async function deleteAccount(device: Device, password: string): Promise<void> {
  await device.page.getByTestId('present-password').fill(password)
  await device.page.getByTestId('delete-account-submit').click()
}

story(
  'a deleted account is signed out everywhere, and its devices lock what they have of it',
  async (stage) => {
    const bens = await openOwnSpace(stage, "Ben's laptop", ben)
    await newChat(bens.page, 'Band')
    const annas = await acceptInvite(stage, "Anna's laptop", anna, await invite(bens.page, 'editor'))
    await treeItem(annas.page, { title: 'Band' }).click()
    await say(annas.page, 'I play the drums')
    await message(bens.page, 'I play the drums').waitFor()

    const phone = await stage.device("Anna's phone", handheld)
    await openT69(phone.page, phone.url)
    await signIn(phone.page, anna)
    await openSpace(phone.page, await spaceOf(annas.page))
    await showSidebar(phone.page)
    await treeItem(phone.page, { title: 'Band' }).click()
    await synced(phone.page)
    await phone.goOffline()
    await say(phone.page, 'On the train')

    // An account that would leave others without an owner is told which space that is.
    bens.expectErrors(refusal)
    await chooseInAccountMenu(bens.page, 'delete-account')
    await deleteAccount(bens, ben.password)
    await expect.poll(() => bens.page.getByTestId('account-error').innerText()).toContain('“My space”')
    await stage.shot(bens, 'refused')
    await bens.page.getByTestId('cancel').click()

    annas.expectErrors(refusal)
    await chooseInAccountMenu(annas.page, 'delete-account')
    await stage.shot(annas, 'asked')
    await deleteAccount(annas, 'a guess')
    await expect
      .poll(() => annas.page.getByTestId('account-error').innerText())
      .toContain('not your current password')
    await deleteAccount(annas, anna.password)
    // First, because it goes by itself.
    await annas.page.getByTestId('notice').filter({ hasText: 'removed from this device' }).waitFor()
    await annas.page.getByTestId('sign-in').waitFor()
    await annas.page.locator('[data-testid=sync-status][data-phase=local]').waitFor()
    await stage.shot(annas, 'deleted')
    expect(await annas.page.getByText('Band').count()).toBe(0)
    expect((await readStore(annas.page, 'spaces')).map(({ userId }) => userId)).toEqual([null])

    await say(bens.page, 'Who plays the drums now?')
    await synced(bens.page)
    expect(await messages(bens.page)).toEqual(['I play the drums', 'Who plays the drums now?'])
    expect(await message(bens.page, 'I play the drums').getAttribute('data-author')).toBe('Anna')

    // The other device locks what it has, and says so. What was written offline stays there.
    phone.expectErrors(refusal)
    await phone.goOnline()
    await phone.lookAgain()
    await phone.page.locator('[data-testid=sync-status][data-phase=local]').waitFor()
    await phone.page.getByTestId('notice').filter({ hasText: 'Your session has ended' }).waitFor()
    await stage.shot(phone, 'back online')
    expect(await phone.page.getByText('On the train').count()).toBe(0)
    expect((await readStore(phone.page, 'outbox')).length).toBeGreaterThan(0)
    await phone.page.reload()
    await ready(phone.page)
    await showSidebar(phone.page)
    await phone.page.getByTestId('session-ended').waitFor()
    await stage.shot(phone, 'after a reload')
  },
)

story('changing the password signs out the other device, which continues with the new one', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(laptop.page, 'Notes')
  const phone = await stage.device("Anna's phone", handheld)
  await openT69(phone.page, phone.url)
  await signIn(phone.page, anna)
  await openSpace(phone.page, await spaceOf(laptop.page))
  await showSidebar(phone.page)
  await treeItem(phone.page, { title: 'Notes' }).click()
  await synced(phone.page)

  for (const device of [laptop, phone]) device.expectErrors(refusal)
  // From the phone, with only the keyboard in the dialog.
  await chooseInAccountMenu(phone.page, 'change-password')
  const next = 'Anna likes longer passwords'
  await phone.page.keyboard.type('a guess')
  await phone.page.keyboard.press('Tab')
  await phone.page.keyboard.type(next)
  await phone.page.keyboard.press('Enter')
  await expect.poll(() => phone.page.getByTestId('account-error').innerText()).toContain('not your current')
  await stage.shot(phone, 'a wrong one')
  await phone.page.getByTestId('present-password').fill(anna.password)
  await phone.page.getByTestId('password-submit').click()
  await phone.page.getByTestId('password-dialog').waitFor({ state: 'hidden' })
  await stage.shot(phone, 'changed')

  await laptop.page.locator('[data-testid=sync-status][data-phase=local]').waitFor()
  await laptop.page.getByTestId('session-ended').waitFor()
  expect(await laptop.page.getByText('Notes').count()).toBe(0)
  await stage.shot(laptop, 'locked')
  await hideSidebar(phone.page)
  await say(phone.page, 'Still here')
  await synced(phone.page)
  await signIn(laptop.page, { ...anna, password: next })
  // The chat that was open is open again.
  await synced(laptop.page)
  await message(laptop.page, 'Still here').waitFor()
  await say(laptop.page, 'Written here again')
  await message(phone.page, 'Written here again').waitFor()
})

story('a person sees their devices, signs one out, and changes the name that others see', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(laptop.page, 'Notes')
  const phone = await stage.device("Anna's phone", handheld)
  await openT69(phone.page, phone.url)
  await signIn(phone.page, anna)
  await openSpace(phone.page, await spaceOf(laptop.page))
  await synced(phone.page)
  phone.expectErrors(refusal)

  await chooseInAccountMenu(laptop.page, 'devices')
  const devices = laptop.page.getByTestId('device')
  await expect.poll(() => devices.count()).toBe(2)
  expect(await devices.first().innerText()).toContain('Chrome')
  await stage.shot(laptop, 'two devices')
  await laptop.page.setViewportSize({ width: 390, height: 780 })
  await stage.shot(laptop, 'on a narrow window')
  await laptop.page.setViewportSize({ width: 1200, height: 800 })
  const here = laptop.page.locator('[data-testid=device][data-this=true]')
  expect(await here.getByTestId('end-session').count()).toBe(0)
  await laptop.page.getByTestId('end-session').click()
  await expect.poll(() => devices.count()).toBe(1)
  expect(await laptop.page.getByTestId('end-other-sessions').count()).toBe(0)
  await laptop.page.getByTestId('close-dialog').click()

  await phone.page.locator('[data-testid=sync-status][data-phase=local]').waitFor()
  await showSidebar(phone.page)
  await phone.page.getByTestId('session-ended').waitFor()
  await signIn(phone.page, anna)
  await synced(phone.page)
  await chooseInAccountMenu(laptop.page, 'devices')
  await laptop.page.getByTestId('end-other-sessions').click()
  await expect.poll(() => devices.count()).toBe(1)
  await laptop.page.getByTestId('close-dialog').click()
  await phone.page.locator('[data-testid=sync-status][data-phase=local]').waitFor()

  await chooseInAccountMenu(laptop.page, 'change-name')
  await laptop.page.getByTestId('name-input').fill('Anne of Green Gables')
  await laptop.page.getByTestId('name-submit').click()
  await expect.poll(() => laptop.page.getByTestId('user-name').innerText()).toBe('Anne of Green Gables')
  await synced(laptop.page)
})

story('a second press on the button of a row does nothing to the row that takes its place', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  const { page } = laptop
  for (const name of ["Anna's phone", "Anna's tablet"]) {
    const other = await stage.device(name)
    await openT69(other.page, other.url)
    await signIn(other.page, anna)
    await synced(other.page)
    other.expectErrors(refusal)
  }
  const pressTwice = async (button: string, row: string): Promise<void> => {
    const before = await page.getByTestId(row).count()
    const first = page.getByTestId(button).first()
    // Waits until it can be pressed.
    await first.click({ trial: true })
    // In the page, as the second press has to come within half a second, as soon as the row is gone.
    await first.evaluate(
      (pressed: HTMLElement, [row, count]) =>
        new Promise<void>((resolve) => {
          const { x, y, width, height } = pressed.getBoundingClientRect()
          const pressedAt = performance.now()
          const observer = new MutationObserver(() => {
            if (document.querySelectorAll(`[data-testid=${row}]`).length !== count) return
            observer.disconnect()
            const next = document.elementFromPoint(x + width / 2, y + height / 2)?.closest('button')
            if (performance.now() - pressedAt < 500) next?.click()
            resolve()
          })
          observer.observe(document.body, { childList: true, subtree: true })
          pressed.click()
        }),
      [row, before - 1] as const,
    )
    await page.waitForTimeout(1_000)
    expect(await page.getByTestId(row).count()).toBe(before - 1)
  }
  await chooseInAccountMenu(page, 'devices')
  await expect.poll(() => page.getByTestId('device').count()).toBe(3)
  await pressTwice('end-session', 'device')
  await page.getByTestId('close-dialog').click()
  await page.getByTestId('share').click()
  for (const count of [1, 2]) {
    await page.getByTestId('create-invite').click()
    await expect.poll(() => page.getByTestId('invite').count()).toBe(count)
  }
  await pressTwice('withdraw-invite', 'invite')
})

story(
  'somebody who forgot the password sets another by a link, on a device that somebody else uses',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    await newChat(laptop.page, 'Notes')
    await say(laptop.page, 'Remember the milk')
    await synced(laptop.page)
    const shared = await openOwnSpace(stage, "Ben's laptop", ben)
    for (const device of [laptop, shared]) device.expectErrors(/status of 4(?:0[13]|10)/)
    const { page } = shared

    // In the address of a page that is open already, and gone from it at once.
    const token = await passwordLink(stage.server.dataDir, anna.email)
    await page.evaluate((hash) => void (location.hash = hash), `set-password=${token}`)
    await page.getByTestId('password-of').waitFor()
    expect(page.url()).not.toContain('password')
    expect(await page.getByTestId('password-of').innerText()).toContain(anna.email)
    expect(await page.getByTestId('signed-in-here').innerText()).toContain('Ben')
    await stage.shot(shared, 'whose password')

    // Nothing has happened yet, and the question is still there after a reload.
    await page.reload()
    await page.getByTestId('password-of').waitFor()
    expect(await page.evaluate(() => document.referrer)).not.toContain(token)
    await synced(laptop.page)

    await page.getByTestId('new-password').fill('short')
    await page.getByTestId('password-submit').click()
    await expect.poll(() => page.getByTestId('account-error').innerText()).toContain('8 characters')
    await page.getByTestId('show-password').check()
    expect(await page.getByTestId('new-password').getAttribute('type')).toBe('text')
    await page.getByTestId('new-password').fill('Anna wrote this one down')
    await page.getByTestId('password-submit').click()
    await page.getByTestId('set-password-dialog').waitFor({ state: 'hidden' })
    await expect.poll(() => page.getByTestId('user-name').innerText()).toBe('Anna')
    await treeItem(page, { title: 'Notes' }).click()
    await message(page, 'Remember the milk').waitFor()
    await stage.shot(shared, 'signed in')

    // The other device is signed out, and goes on with the new password.
    await laptop.page.getByTestId('session-ended').waitFor()
    await signIn(laptop.page, { ...anna, password: 'Anna wrote this one down' })
    await message(laptop.page, 'Remember the milk').waitFor()

    const late = await stage.device("Ben's phone", handheld)
    late.expectErrors(/status of 410/)
    await openT69(late.page, `${late.url}/#set-password=${token}`)
    await expect.poll(() => late.page.getByTestId('account-error').innerText()).toContain('was used')
    await stage.shot(late, 'used')
    await late.page.getByTestId('cancel').click()
    await late.page.getByTestId('set-password-dialog').waitFor({ state: 'hidden' })
    await reload(late.page)
    await ready(late.page)
    expect(await late.page.getByTestId('set-password-dialog').count()).toBe(0)
  },
)

story('an owner sees the active invite links, and withdraws them', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  const link = await invite(laptop.page, 'editor')
  await acceptInvite(stage, "Ben's laptop", ben, link)
  await laptop.page.getByTestId('share').click()
  const shown = laptop.page.getByTestId('invite')
  await expect.poll(() => shown.getAttribute('data-uses')).toBe('1')
  await laptop.page.getByTestId('invite-role').selectOption('viewer')
  await laptop.page.getByTestId('create-invite').click()
  await laptop.page.getByTestId('invite-link').waitFor()
  await expect.poll(() => shown.count()).toBe(2)
  await stage.shot(laptop, 'two links')
  await laptop.page.setViewportSize({ width: 390, height: 780 })
  await stage.shot(laptop, 'on a narrow window')
  await laptop.page.setViewportSize({ width: 1200, height: 800 })

  // The link on screen goes with its row. The one that Ben used is withdrawn too, and Ben stays.
  await shown.and(laptop.page.locator('[data-role=viewer]')).getByTestId('withdraw-invite').click()
  await laptop.page.getByTestId('invite-link').waitFor({ state: 'detached' })
  await shown.getByTestId('withdraw-invite').click()
  await expect.poll(() => shown.count()).toBe(0)
  await stage.shot(laptop, 'withdrawn')
  expect(await laptop.page.getByTestId('member').filter({ hasText: 'Ben' }).count()).toBe(1)

  const late = await stage.device("Cleo's laptop")
  late.expectErrors(/status of 410/)
  await late.page.goto(new URL(new URL(link).pathname, late.url).href)
  await late.page.getByText('This invite is no longer valid').first().waitFor()
})
