import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import { violationsOn } from '../lib/axe.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  invite,
  newSpace,
  openT69,
  showSidebar,
  signUp,
  synced,
  visit,
} from '../lib/t69-page.ts'
import { acceptInvite } from '../lib/two-people.ts'

const [anna, ben] = [accountOf('Anna'), accountOf('Ben')]
const spanish = { locale: 'es-ES' }

async function chooseInMenu(page: Page, item: string): Promise<void> {
  await showSidebar(page)
  await page.getByTestId('account').click()
  await page.getByTestId(item).click()
}

/** Some text of the page, once it says what it should. Nothing of it is English. */
async function says(page: Page, testid: string, words: string): Promise<void> {
  await expect.poll(() => page.getByTestId(testid).innerText()).toContain(words)
}

story('whatever the server refuses is told in the language of the page', async (stage) => {
  const laptop = await stage.device("Anna's laptop", spanish)
  const { page } = laptop
  laptop.expectErrors(/status of 4\d\d/)

  // Links that lead nowhere.
  await openT69(page, `${laptop.url}/#set-password=${'a'.repeat(43)}`)
  await says(page, 'account-error', 'Este enlace')
  await page.getByTestId('cancel').click()
  await visit(page, `${laptop.url}/#set-password=nothing`)
  await says(page, 'account-error', 'Este enlace')
  await page.getByTestId('cancel').click()

  // Signing up and in.
  await visit(page, laptop.url)
  await showSidebar(page)
  await page.getByTestId('sign-up').click()
  await page.getByTestId('auth-name').fill('Anna')
  await page.getByTestId('auth-email').fill('anna@casa..es')
  await page.getByTestId('auth-password').fill(anna.password)
  await page.getByTestId('auth-submit').click()
  await says(page, 'auth-error', 'correo')
  await page.getByTestId('close-dialog').click()
  await signUp(page, anna)
  await enableSync(page)
  await synced(page)
  const link = await invite(page, 'editor')
  const bens = await acceptInvite(stage, "Ben's laptop", ben, link, spanish)
  const stranger = await stage.device('A stranger', spanish)
  stranger.expectErrors(/status of 409/)
  await stranger.page.goto(new URL(new URL(link).pathname, stranger.url).href)
  await stranger.page.getByTestId('invite-sign-up').click()
  await stranger.page.getByTestId('auth-name').fill('Anna')
  await stranger.page.getByTestId('auth-email').fill(anna.email)
  await stranger.page.getByTestId('auth-password').fill('a horse of a stranger')
  await stranger.page.getByTestId('auth-submit').click()
  await says(stranger.page, 'auth-error', 'Ya hay una cuenta')

  // The password, an account that others need, and the last admin of the server.
  await chooseInMenu(page, 'change-password')
  await page.getByTestId('present-password').fill('adivinada')
  await page.getByTestId('new-password').fill('una contraseña mejor')
  await page.getByTestId('password-submit').click()
  await says(page, 'account-error', 'contraseña actual')
  await page.getByTestId('close-dialog').click()
  await chooseInMenu(page, 'delete-account')
  await page.getByTestId('present-password').fill(anna.password)
  await page.getByTestId('delete-account-submit').click()
  await says(page, 'account-error', 'Eres el último propietario de “')
  await stage.shot(laptop, 'the last owner')
  expect(await violationsOn(page)).toEqual([])
  await page.getByTestId('cancel').click()
  await visit(page, `${laptop.url}/admin/people`)
  await page.getByTestId('admin-person').getByText('Anna', { exact: true }).click()
  await page.getByTestId('admin-set-role').click()
  await page.getByTestId('admin-password').fill(anna.password)
  await page.getByTestId('admin-confirm-submit').click()
  await says(page, 'admin-confirm-problem', 'Es el último administrador')
  await stage.shot(laptop, 'the last admin')
  expect(await violationsOn(page)).toEqual([])
  await page.getByTestId('cancel').click()

  // Of the account of somebody else, it is said that it is theirs.
  await newSpace(bens.page, 'Banda')
  await synced(bens.page)
  await visit(page, new URL(new URL(await invite(bens.page, 'editor')).pathname, laptop.url).href)
  await page.getByTestId('invite-join').click()
  await page.getByTestId('invite-dialog').waitFor({ state: 'detached' })
  await visit(page, `${laptop.url}/admin/people`)
  await page.getByTestId('admin-person').getByText('Ben', { exact: true }).click()
  await page.getByTestId('admin-delete-user').click()
  await page.getByTestId('admin-password').fill('adivinada')
  await page.getByTestId('admin-confirm-submit').click()
  await says(page, 'admin-confirm-problem', 'contraseña actual')
  await page.getByTestId('admin-password').fill(anna.password)
  await page.getByTestId('admin-confirm-submit').click()
  await says(page, 'admin-confirm-problem', 'Esta cuenta es la última propietaria')
})
