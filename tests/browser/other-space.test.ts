import { errorResponseSchema, inviteSchema, sessionSchema } from '@t69/protocol'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import { accountOf, newChat, openT69, say, signUp, spaceOf, synced, treeRows } from '../lib/t69-page.ts'

const anna = accountOf('Anna')

/** Somebody who knows the id of a space from its address, and talks to the server past the app. */
async function stranger(url: string) {
  async function call(token: string | null, path: string, body?: object): Promise<unknown> {
    const response = await fetch(new URL(path, url), {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== null && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return JSON.parse(await response.text())
  }
  const { accessToken } = sessionSchema.parse(await call(null, '/api/auth/register', accountOf('Eve')))
  return (path: string, body?: object) => call(accessToken, path, body)
}

story(
  'a space whose id somebody else has taken is not sent there, and can be kept as one’s own',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page } = laptop
    laptop.expectErrors(/status of 40[49] .*\/api\/spaces/)
    await openT69(page, laptop.url)
    await newChat(page, 'Diary')
    await say(page, 'Nobody may read this')
    const spaceId = await spaceOf(page)
    const eve = await stranger(stage.server.url)
    await eve('/api/spaces', { id: spaceId, name: 'Trap' })

    await signUp(page, anna)
    await page.getByTestId('enable-sync').click()
    const status = page.getByTestId('sync-status')
    await expect.poll(() => status.getAttribute('data-phase')).toBe('blocked')
    await expect
      .poll(() => status.textContent())
      .toContain('Not synced: another space has its place on the server')
    await status.click()
    const dialog = page.getByTestId('other-space-dialog')
    await expect.poll(() => dialog.getByTestId('other-space').textContent()).toContain('not a member of')
    await expect.poll(() => dialog.getByTestId('send-to-other').count()).toBe(0)
    await stage.shot(laptop, 'asked')
    await dialog.getByTestId('leave-it').click()
    await expect.poll(() => status.getAttribute('data-phase')).toBe('blocked')

    // Invited there, she is asked with both names.
    const { token } = inviteSchema.parse(await eve(`/api/spaces/${spaceId}/invites`, { role: 'editor' }))
    const { accessToken } = sessionSchema.parse(
      await (
        await fetch(new URL('/api/auth/login', stage.server.url), {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ email: anna.email, password: anna.password }),
        })
      ).json(),
    )
    await fetch(new URL(`/api/invites/${token}/accept`, stage.server.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${accessToken}` },
    })
    await status.click()
    await expect.poll(() => dialog.getByTestId('other-space').textContent()).toContain('“Trap”')
    await dialog.getByTestId('send-to-other').click()
    await stage.shot(laptop, 'asked again')
    await page.getByTestId('cancel').click()

    await status.click()
    await dialog.getByTestId('copy-space').click()
    await synced(page)
    expect(await spaceOf(page)).not.toBe(spaceId)
    await expect.poll(() => treeRows(page)).toEqual(['Diary'])
    await stage.shot(laptop, 'kept as a copy')
    const tree = errorResponseSchema.parse(await eve(`/api/spaces/${spaceId}/trees/${spaceId}`))
    expect(tree.error.code).toBe('not_found')
  },
)
