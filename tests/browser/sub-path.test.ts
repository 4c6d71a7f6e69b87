import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  invite,
  message,
  openT69,
  ready,
  say,
  signUp,
  synced,
  visit,
} from '../lib/t69-page.ts'

const below = { env: { PUBLIC_URL: 'http://127.0.0.1/home/t69/' } }

story(
  'below a path, the app opens, signs in, syncs, and opens again without a network',
  async (stage) => {
    const laptop = await stage.device("Anna's laptop")
    const { page, context } = laptop
    await openT69(page, `${laptop.url}/home/t69/`)
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
    await signUp(page, accountOf('Anna'))
    await enableSync(page)
    await say(page, 'Bread')
    await synced(page)
    expect(new URL(page.url()).pathname).toBe('/home/t69/')
    const cookies = await context.cookies(`${laptop.url}/home/t69/api/auth/refresh`)
    expect(cookies.map(({ path }) => path)).toEqual(['/home/t69/api/auth', '/home/t69/api/auth'])
    expect(cookies.map(({ name }) => name)).toContain('t69_refresh')

    await laptop.goOffline()
    await page.reload()
    await ready(page)
    await message(page, 'Bread').waitFor()
    // An invite link is the same page, and its files are where they always are.
    const tab = await laptop.newTab('/home/t69/invite/some-token')
    await ready(tab)
    await tab.getByTestId('invite-problem').waitFor()
    expect(tab.url()).not.toContain('some-token')
    await tab.close()
    await laptop.goOnline()
    await synced(page)
    expect(new URL(await invite(page, 'viewer')).pathname).toMatch(/^\/home\/t69\/invite\/./)
    const manifest = await page.evaluate(async () => {
      const link = document.querySelector<HTMLLinkElement>('link[rel=manifest]')
      const read: unknown = await fetch(link?.href ?? '').then((response) => response.json())
      return read
    })
    expect(manifest).toMatchObject({ start_url: './' })
    // The first account is an admin's, whose page has addresses of its own.
    await visit(page, `${laptop.url}/home/t69/admin`)
    await page.getByTestId('admin-figures').waitFor()
    await page.getByTestId('admin-people').click()
    await page.getByTestId('admin-row').waitFor()
    expect(new URL(page.url()).pathname).toBe('/home/t69/admin/people')
    await page.goto(`${laptop.url}/home/t69/docs`)
    await page.getByText('/api/auth/refresh').first().waitFor()
  },
  below,
)

story('the service worker leaves other apps on the same address alone', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  const { page } = laptop
  await openT69(page, laptop.url)
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  await page.reload()
  await ready(page)
  await laptop.context.route('**/jellyfin/', (route) =>
    route.fulfill({ contentType: 'text/html', body: '<h1>Films</h1>' }),
  )
  await page.goto(`${laptop.url}/jellyfin/`)
  await page.getByRole('heading', { name: 'Films' }).waitFor()
})
