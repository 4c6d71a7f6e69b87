import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import type { BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'

import { violationsOn } from '../lib/axe.ts'
import { setServerRole } from '../lib/operator.ts'
import { slug, story } from '../lib/story.ts'
import {
  accountOf,
  hideSidebar,
  invite,
  newSpace,
  openT69,
  ready,
  showSidebar,
  signUp,
  synced,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

const [anna, ben] = [accountOf('Anna'), accountOf('Ben')]
const sections = ['overview', 'people', 'spaces', 'connections', 'audit', 'invites'] as const

/** Puts the picture of the documents there, as pictures.test.ts does. */
const pictures = process.env['PICTURES']

async function openAdmin(page: Page): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('account').click()
  await page.getByTestId('admin').click()
  await page.getByTestId('admin-figures').waitFor()
}

const rows = (page: Page) => page.getByTestId('admin-row')

async function openPerson(page: Page, name: string): Promise<void> {
  await page.getByTestId('admin-people').click()
  await page.getByTestId('admin-person').getByText(name, { exact: true }).click()
  await page.getByTestId('admin-user').waitFor()
}

async function confirm(page: Page, password: string): Promise<void> {
  const dialog = page.getByTestId('admin-confirm')
  await dialog.getByTestId('admin-password').fill(password)
  await dialog.getByTestId('admin-confirm-submit').click()
}

story(
  'an admin looks after people, spaces, invites and registration, and each thing done is in the audit list',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    const { page } = laptop
    laptop.expectErrors(/status of 401/)
    const phone = await acceptInvite(stage, "Ben's phone", ben, await invite(page, 'editor'))

    await openAdmin(page)
    expect(new URL(page.url()).pathname).toBe('/admin')
    expect(await page.title()).toBe('Overview · t69')
    expect(await page.getByTestId('admin-trouble').getAttribute('data-fine')).toBe('true')
    await stage.shot(laptop, 'overview')

    // Who may sign up, in place of the setting, and by it again.
    await page.getByTestId('admin-registration-closed').check()
    await page.getByTestId('admin-registration-chosen').waitFor()
    const stranger = await stage.device('A stranger')
    await openT69(stranger.page, stranger.url)
    await showSidebar(stranger.page)
    await stranger.page.getByTestId('sign-up').click()
    await expect
      .poll(() => stranger.page.getByTestId('auth-refusal').textContent())
      .toContain('no new accounts')
    await page.getByTestId('admin-registration-setting').click()
    await expect.poll(() => page.getByTestId('admin-registration-chosen').count()).toBe(0)

    // A person, found by a part of the address. A wrong password does nothing.
    await page.getByTestId('admin-people').click()
    await page.getByTestId('admin-search').fill('BEN@')
    await expect.poll(() => rows(page).count()).toBe(1)
    await page.getByTestId('admin-person').click()
    await page.getByTestId('admin-user').waitFor()
    await page.getByTestId('admin-set-role').click()
    await confirm(page, 'not the password')
    await expect
      .poll(() => page.getByTestId('admin-confirm-problem').textContent())
      .toContain('not your current password')
    await confirm(page, anna.password)
    await page.locator('[data-testid=admin-user][data-role=admin]').waitFor()
    await page.getByTestId('admin-set-role').click()
    await confirm(page, anna.password)
    await page.locator('[data-testid=admin-user][data-role=member]').waitFor()
    await page.getByTestId('admin-password-link').click()
    await confirm(page, anna.password)
    const link = await page.getByTestId('admin-link-url').innerText()
    expect(link).toMatch(/^http:\/\/[^/]+\/#set-password=[\w-]{43}$/)
    await stage.shot(laptop, 'a person with a link')

    // Signed out everywhere: the phone is told at once.
    phone.expectErrors(/status of 401/)
    await page.getByTestId('admin-sign-out').click()
    await phone.page.getByTestId('session-ended').waitFor({ state: 'attached' })
    await expect.poll(() => page.getByTestId('admin-devices').count()).toBe(0)
    await expect
      .poll(() => page.getByTestId('admin-action').allInnerTexts())
      .toEqual(
        expect.arrayContaining([
          'Signed out everywhere',
          'Link to set a password made',
          'Made a member',
          'Made an admin',
          'Joined by an invite',
        ]),
      )

    // The address of a place opens it again, and back leads back.
    const address = page.url()
    await page.reload()
    await page.getByTestId('admin-user').waitFor()
    await page.getByTestId('admin-user-spaces').getByTestId('admin-link').click()
    await page.getByTestId('admin-space-details').waitFor()
    await expect.poll(() => page.getByTestId('admin-members').locator('li').count()).toBe(2)
    await page.goBack()
    await page.getByTestId('admin-user').waitFor()
    expect(page.url()).toBe(address)

    // An invite admits, until it is withdrawn.
    await page.getByTestId('admin-invites').click()
    await page.getByTestId('admin-none').waitFor()
    await page.getByTestId('admin-make-invite').click()
    expect(await page.getByTestId('admin-link-url').innerText()).toContain('/#sign-up=')
    await stage.shot(laptop, 'an invite')
    await page.getByTestId('admin-withdraw').click()
    await page.getByTestId('admin-none').waitFor()

    // The account, and then the space.
    await openPerson(page, 'Ben')
    await page.getByTestId('admin-delete-user').click()
    await confirm(page, anna.password)
    await page.locator('[data-section=people]').waitFor()
    await expect.poll(() => rows(page).count()).toBe(1)
    await page.getByTestId('admin-spaces').click()
    await page.getByTestId('admin-search').fill('anna@example')
    await page.getByTestId('admin-space').click()
    await page.getByTestId('admin-delete-space').click()
    await confirm(page, anna.password)
    await page.getByTestId('admin-none').waitFor()
    await page.getByTestId('admin-connections').click()
    await expect.poll(() => rows(page).first().innerText()).toContain('anna@example.org')

    await page.getByTestId('admin-audit').click()
    await expect
      .poll(async () => (await page.getByTestId('admin-action').allInnerTexts()).slice(0, 4))
      .toEqual([
        'Space deleted',
        'Account deleted',
        'Invite to the server withdrawn',
        'Invite to the server made',
      ])
    expect(await rows(page).first().innerText()).toMatch(/anna@example\.org[^]*(127\.0\.0\.1|::1)/)
    await page.getByTestId('admin-audit-action').selectOption('account deleted')
    await expect.poll(() => rows(page).count()).toBe(1)

    await page.getByTestId('leave-admin').click()
    await ready(page)
    expect(page.url()).not.toContain('/admin')
  },
)

story(
  'whoever is no admin gets nothing of the admin page, and an admin who is one no more is told',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    const phone = await acceptInvite(stage, "Ben's laptop", ben, await invite(laptop.page, 'editor'))

    // A member: no entry in the menu, and at the address no data.
    await showSidebar(phone.page)
    const asked = phone.page.waitForResponse((response) => response.url().endsWith('/api/me'))
    await phone.page.getByTestId('account').click()
    await asked
    await phone.page.getByTestId('devices').waitFor()
    expect(await phone.page.getByTestId('admin').count()).toBe(0)
    await phone.page.keyboard.press('Escape')
    const calls: string[] = []
    phone.page.on('request', (request) => {
      if (request.url().includes('/api/admin/')) calls.push(request.url())
    })
    for (const path of ['admin', 'admin/people', 'admin/audit']) {
      await phone.page.goto(`${phone.url}/${path}`)
      await phone.page.getByTestId('admin-denied').waitFor()
      expect(await phone.page.getByTestId('admin-overview').count()).toBe(0)
      expect(await rows(phone.page).count()).toBe(0)
    }
    expect(calls).toEqual([])
    await stage.shot(phone, 'denied')

    // Nobody: the page offers to sign in.
    const kiosk = await stage.device('A kiosk')
    await kiosk.page.goto(`${kiosk.url}/admin`)
    await kiosk.page.getByTestId('admin-sign-in').waitFor()
    await stage.shot(kiosk, 'signed out')

    await setServerRole(stage.server.dataDir, ben.email, 'admin')
    await openAdmin(laptop.page)
    await setServerRole(stage.server.dataDir, anna.email, 'member')
    laptop.expectErrors(/status of 403/)
    await laptop.page.getByTestId('admin-people').click()
    await laptop.page.getByTestId('admin-denied').waitFor()
    expect(await rows(laptop.page).count()).toBe(0)
    await stage.shot(laptop, 'demoted')
    await phone.page.reload()
    await phone.page.getByTestId('admin-row').first().waitFor()
  },
)

story('of 10,000 people the admin page shows 50, and a search finds the oldest of them', async (stage) => {
  const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
  const { page } = laptop
  const db = new DatabaseSync(join(stage.server.dataDir, 'platform.sqlite'))
  db.exec(`
    with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)
    insert into users (id, email, name, password_hash, created_at, role)
      select printf('%032x', i), printf('person%d@example.org', i), printf('Person %d', i), '', i, 'member' from n`)
  db.close()
  const sizes: Promise<number>[] = []
  page.on('response', (response) => {
    if (!response.url().includes('/api/admin/users')) return
    // An answer that the page has given up has no body.
    const size = response.body().then(
      ({ length }) => length,
      () => 0,
    )
    sizes.push(size)
  })
  await openAdmin(page)
  await page.getByTestId('admin-people').click()
  await expect.poll(() => rows(page).count()).toBe(50)
  await page.getByTestId('admin-more').click()
  await expect.poll(() => rows(page).count()).toBe(100)
  await page.getByTestId('admin-search').fill('person1@')
  await expect.poll(() => rows(page).allInnerTexts()).toEqual([expect.stringContaining('Person 1')])
  await page.getByTestId('admin-search').fill('anna')
  await expect.poll(() => rows(page).allInnerTexts()).toEqual([expect.stringContaining('Anna')])
  expect(Math.max(...(await Promise.all(sizes)))).toBeLessThan(20_000)
  await stage.shot(laptop, 'found')
})

const narrow = { viewport: { width: 390, height: 844 }, hasTouch: true } as const
const looks: readonly (readonly [string, BrowserContextOptions])[] = [
  ['in the light, wide', { colorScheme: 'light', viewport: { width: 1440, height: 900 } }],
  ['in the dark, on a phone', { colorScheme: 'dark', ...narrow }],
  [
    'in Arabic, wide, in the dark',
    { colorScheme: 'dark', locale: 'ar-EG', viewport: { width: 1440, height: 900 } },
  ],
  ['in Arabic, on a phone', { colorScheme: 'light', locale: 'ar-EG', ...narrow }],
]

for (const [look, context] of looks) {
  story(`axe finds nothing wrong in any section of the admin page, ${look}`, async (stage) => {
    const device = await stage.device('laptop', context)
    const { page } = device
    await openT69(page, device.url)
    await signUp(page, anna)
    await showSidebar(page)
    await page.getByTestId('enable-sync').click()
    await synced(page)
    await newSpace(page, 'Trip to Lisbon')
    await hideSidebar(page)
    await synced(page)
    for (const person of ['Ben', 'Cleo', 'دينا']) {
      const account = { ...accountOf(`p${person.length}${slug(person)}`), name: person }
      await fetch(`${stage.server.url}/api/auth/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(account),
      })
    }
    const found: Record<string, string[]> = {}
    async function check(state: string): Promise<void> {
      const violations = await violationsOn(page)
      if (violations.length > 0) found[state] = violations
      const wider = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)
      if (wider) found[`${state}, too wide`] = []
      await stage.shot(device, state)
    }
    await openAdmin(page)
    for (const section of sections) {
      await page.getByTestId(`admin-${section}`).click()
      await page.locator(`[data-section="${section === 'overview' ? '' : section}"]`).waitFor()
      if (section === 'invites') await page.getByTestId('admin-make-invite').click()
      await page.locator('[data-testid=admin-figures], [data-testid=admin-row]').first().waitFor()
      await check(section)
      if (pictures !== undefined && section === 'people' && look === 'in the light, wide') {
        const clip = { x: 0, y: 0, width: 1440, height: 520 }
        await page.screenshot({ path: join(pictures, 'admin.png'), clip })
      }
    }
    await openPerson(page, 'Cleo')
    await rows(page).first().waitFor()
    await check('a person')
    await page.getByTestId('admin-delete-user').click()
    await page.getByTestId('admin-confirm').waitFor()
    await check('deleting a person')
    await page.keyboard.press('Escape')
    await page.getByTestId('admin-confirm').waitFor({ state: 'detached' })
    await page.getByTestId('admin-spaces').click()
    await page.getByTestId('admin-space').first().click()
    await page.getByTestId('admin-members').waitFor()
    await check('a space')
    expect(found).toEqual({})
  })
}
