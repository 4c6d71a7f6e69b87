import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

import { expect } from 'vitest'

import { story, type Stage } from '../lib/story.ts'
import { accountOf, invite, openT69, showSidebar, signUp, submitSignUp } from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

const [anna, ben, cleo] = [accountOf('Anna'), accountOf('Ben'), accountOf('Cleo')]
const program = join(import.meta.dirname, '../../packages/server/dist/main.js')
const byInvite = { env: { REGISTRATION: 'invite' } }

/** Makes a link to the server, as its operator does. */
function linkTo({ server }: Stage): URL {
  const env = { ...process.env, DATA_DIR: server.dataDir, PUBLIC_URL: server.url }
  const made = spawnSync(process.execPath, [program, 'invite'], { env, encoding: 'utf8' })
  return new URL(made.stdout.split('\n')[0] ?? '')
}

story(
  'after the first account, people sign up by invite: the dialog says so, and links to a space or the server lead through it',
  async (stage) => {
    const first = await stage.device("Anna's laptop")
    await openT69(first.page, first.url)
    await showSidebar(first.page)
    await first.page.getByTestId('sign-up').click()
    await expect.poll(() => first.page.getByTestId('auth-note').textContent()).toContain('first account')
    await stage.shot(first, 'first account')
    await first.page.getByTestId('close-dialog').click()
    await signUp(first.page, anna)

    const uninvited = await stage.device("Ben's laptop")
    await openT69(uninvited.page, uninvited.url)
    await showSidebar(uninvited.page)
    await uninvited.page.getByTestId('sign-up').click()
    const refusal = uninvited.page.getByTestId('auth-refusal')
    await expect.poll(() => refusal.textContent()).toContain('by invite only')
    expect(await uninvited.page.getByTestId('auth-submit').isVisible()).toBe(false)
    await stage.shot(uninvited, 'by invite only')
    // Those who have an account sign in as ever.
    await uninvited.page.getByTestId('auth-switch').click()
    await uninvited.page.getByTestId('auth-submit').waitFor()

    const link = linkTo(stage)
    const invited = await stage.device("Ben's phone")
    await openT69(invited.page, `${invited.url}/${link.hash}`)
    await invited.page.getByTestId('auth-dialog').waitFor()
    await expect.poll(() => invited.page.url()).not.toContain('sign-up')
    await stage.shot(invited, 'invited')
    await submitSignUp(invited.page, ben)
    await expect.poll(() => invited.page.getByTestId('account').textContent()).toContain('Ben')
  },
  byInvite,
)

story(
  'somebody new signs up with the link to a space, and is in it',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", anna)
    const other = await acceptInvite(stage, "Cleo's laptop", cleo, await invite(laptop.page, 'editor'))
    await stage.shot(other, 'joined')
  },
  byInvite,
)
