import type { Page } from 'playwright-core'
import { expect } from 'vitest'

import type { Device } from '../lib/device.ts'
import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  invite,
  message,
  newChat,
  newFolder,
  newSpace,
  openT69,
  ready,
  reload,
  say,
  showSidebar,
  signUp,
  spaceOf,
  status,
  synced,
  treeItem,
  treeRows,
  visit,
} from '../lib/t69-page.ts'
import { acceptInvite, openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')
const ben = accountOf('Ben')

/** The names of the members, as an owner's share dialog shows them. */
async function membersSeenBy(page: Page): Promise<string[]> {
  await showSidebar(page)
  await page.getByTestId('share').click()
  const rows = page.getByTestId('member')
  await rows.first().waitFor()
  const names = await rows.evaluateAll((all) => all.map((row) => row.querySelector('bdi')?.textContent ?? ''))
  await page.getByTestId('close-dialog').click()
  return names
}

/** The link as this device reaches its server, which has an address for each device. */
const linkOn = (device: Device, link: string): string => new URL(new URL(link).pathname, device.url).href

/** The spaces that the switcher lists. */
async function spacesOf(page: Page): Promise<(string | null)[]> {
  await page.getByTestId('space-switcher').click()
  const items = page.getByTestId('space-item')
  await items.first().waitFor()
  const ids = await items.evaluateAll((all) => all.map((item) => item.getAttribute('data-space-id')))
  await page.keyboard.press('Escape')
  await items.first().waitFor({ state: 'hidden' })
  return ids
}

/** Opens a page of another site that sends the browser to `address`. */
async function sentByAnotherSite(device: Device, address: string): Promise<void> {
  await shownByAnotherSite(device, `<script>location = ${JSON.stringify(address)}</script>`)
  await device.page.waitForURL((url) => url.origin === new URL(device.url).origin)
}

async function shownByAnotherSite(device: Device, body: string): Promise<void> {
  await device.context.unroute('http://elsewhere.example/')
  await device.context.route('http://elsewhere.example/', (route) =>
    route.fulfill({ contentType: 'text/html', body }),
  )
  await device.page.goto('http://elsewhere.example/')
}

story(
  'an invite link that another site opens asks, and no answer leaves everything as it was',
  async (stage) => {
    const annas = await openOwnSpace(stage, "Anna's laptop", anna)
    const link = await invite(annas.page, 'viewer')
    const token = link.split('/').at(-1) ?? ''
    const bens = await openOwnSpace(stage, "Ben's laptop", ben)
    const { page } = bens
    const own = await spaceOf(page)
    const leaks: string[] = []
    page.on('request', async (request) => {
      // The last requests may outlive the page, which then says nothing of their headers.
      const { referer } = await request.allHeaders().catch(() => ({ referer: undefined }))
      const isTheLink = request.isNavigationRequest() && request.url().endsWith(`/invite/${token}`)
      if (referer?.includes(token) || (request.url().includes(token) && !isTheLink)) leaks.push(request.url())
    })

    await sentByAnotherSite(bens, linkOn(bens, link))
    const dialog = page.getByTestId('invite-dialog')
    await dialog.getByTestId('invite-join').waitFor()
    expect(await dialog.getByTestId('invite-space').innerText()).toBe('My space')
    expect(await dialog.getByTestId('invite-from').innerText()).toContain('Anna')
    expect(await dialog.getByTestId('invite-from').innerText()).toContain('view')
    expect(await dialog.getByTestId('invite-as').innerText()).toContain(ben.name)
    expect(await dialog.getByTestId('invite-as').innerText()).toContain(ben.email)
    await stage.shot(bens, 'asked')
    expect(page.url()).not.toContain(token)
    expect(await page.evaluate(() => JSON.stringify(history.state))).not.toContain(token)
    expect(await page.evaluate(() => JSON.stringify(Object.entries(localStorage)))).not.toContain(token)

    // The question stays with this tab until it is answered.
    await page.reload()
    await dialog.getByTestId('invite-join').waitFor()
    const other = await bens.newTab()
    await ready(other)
    expect(await other.getByTestId('invite-dialog').count()).toBe(0)
    await other.close()

    await dialog.getByTestId('invite-decline').click()
    await dialog.waitFor({ state: 'hidden' })
    await reload(page)
    await ready(page)
    await synced(page)
    expect(await dialog.count()).toBe(0)
    expect(await spaceOf(page)).toBe(own)
    expect(await membersSeenBy(annas.page)).toEqual(['Anna'])
    expect(leaks).toEqual([])
  },
)

story('links, forms, messages and frames of another site change nothing in the app', async (stage) => {
  const annas = await openOwnSpace(stage, "Anna's laptop", anna)
  const link = await invite(annas.page, 'editor')
  const bens = await openOwnSpace(stage, "Ben's laptop", ben)
  const { page } = bens
  await newChat(page, 'Diary')
  await say(page, 'Mine')
  await synced(page)
  const own = await spaceOf(page)
  const before = {
    head: (await status(page)).head,
    chats: await treeRows(page),
    spaces: await spacesOf(page),
  }
  const unchanged = async () => {
    await ready(page)
    await synced(page)
    expect(await spaceOf(page)).toBe(own)
    expect({
      head: (await status(page)).head,
      chats: await treeRows(page),
      spaces: await spacesOf(page),
    }).toEqual(before)
    expect(await page.getByTestId('user-name').innerText()).toBe(ben.name)
  }
  bens.expectErrors(/status of 40[0-9]|frame|no longer exists/i)

  const query = 'provider=http://evil.example&key=1&text=hello&send=1&name=x&invite=1&token=1'
  for (const path of [
    `/?${query}`,
    `/?${query}#${own}`,
    `/#${own}/noSuchChat`,
    `/#${'0'.repeat(32)}`,
    '/x?share=1',
  ]) {
    await sentByAnotherSite(bens, `${bens.url}${path}`)
    await unchanged()
  }

  // Forms, which carry cookies where the browser allows it.
  const accept = `/api${new URL(link).pathname.replace('/invite', '/invites')}/accept`
  for (const path of ['/', accept, '/api/auth/logout', '/api/spaces']) {
    await shownByAnotherSite(
      bens,
      `<form method=post enctype=text/plain action="${bens.url}${path}">
      <input name='{"id":"' value='"}'></form><script>document.forms[0].submit()</script>`,
    )
    await page.waitForURL((url) => url.origin === new URL(bens.url).origin)
    await openT69(page, bens.url)
    await unchanged()
  }
  await openT69(page, `${bens.url}/#${own}`)

  // A window that another site opened, and a frame in its page, to which it sends every message that the app's own tabs
  // and its service worker might.
  await shownByAnotherSite(
    bens,
    `<iframe src="${bens.url}/"></iframe><button>Open</button><script>
    const messages = ['signed-out', 'space-deleted', 'spaces-changed', 'edited', 'SKIP_WAITING', 'accept-invite']
    const send = (to) => messages.forEach((type) => to.postMessage({ type, spaceId: '${own}', ops: [] }, '*'))
    document.querySelector('button').onclick = () => {
      const opened = open('${bens.url}/#${own}')
      setInterval(() => { send(opened); send(frames[0]); document.body.dataset.sent = 1 }, 20)
    }
  </script>`,
  )
  const opening = bens.context.waitForEvent('page')
  await page.getByRole('button').click()
  const opened = await opening
  await ready(opened)
  await synced(opened)
  await page.locator('body[data-sent]').waitFor()
  expect(await page.frames()[1]?.getByTestId('app').count()).toBe(0)
  expect(await opened.evaluate(() => opener === null)).toBe(true)
  await opened.close()
  await openT69(page, `${bens.url}/#${own}`)
  await unchanged()
  expect(await membersSeenBy(annas.page)).toEqual(['Anna'])
})

story('an invite is shown to who is signed out, who joins as whom they then choose', async (stage) => {
  const annas = await openOwnSpace(stage, "Anna's laptop", anna)
  await newChat(annas.page, 'Trip')
  const link = await invite(annas.page, 'editor')
  const bens = await stage.device("Ben's laptop")
  await openT69(bens.page, bens.url)
  await signUp(bens.page, ben)
  await enableSync(bens.page)

  const phone = await stage.device("Ben's phone", { viewport: { width: 390, height: 844 }, hasTouch: true })
  const { page } = phone
  await page.goto(linkOn(phone, link))
  const dialog = page.getByTestId('invite-dialog')
  await dialog.getByTestId('invite-sign-up').waitFor()
  expect(await dialog.getByTestId('invite-from').innerText()).toContain('Anna')
  expect(await dialog.innerText()).not.toContain(anna.email)
  await stage.shot(phone, 'signed out')

  // Closing the form leads back to the question.
  await dialog.getByTestId('invite-sign-up').click()
  await page.getByTestId('auth-dialog').waitFor()
  await stage.shot(phone, 'signing up')
  await page.getByTestId('close-dialog').click()
  await dialog.getByTestId('invite-sign-in').click()
  const form = page.getByTestId('auth-dialog')
  await form.getByTestId('auth-email').fill(ben.email)
  await form.getByTestId('auth-password').fill(ben.password)
  await form.getByTestId('auth-submit').click()
  await dialog.getByTestId('invite-join').waitFor()
  expect(await dialog.getByTestId('invite-as').innerText()).toContain(ben.email)
  expect(await membersSeenBy(annas.page)).toEqual(['Anna'])
  await stage.shot(phone, 'signed in')

  await dialog.getByTestId('invite-join').click()
  await dialog.waitFor({ state: 'hidden' })
  await showSidebar(page)
  await treeItem(page, { title: 'Trip' }).waitFor()
  expect(await spaceOf(page)).toBe(await spaceOf(annas.page))
  await expect.poll(() => membersSeenBy(annas.page)).toEqual(['Anna', 'Ben'])
  await page.reload()
  await ready(page)
  expect(await dialog.count()).toBe(0)
})

story('whoever joins sees the chat in which somebody wrote last, wherever it is', async (stage) => {
  const annas = await openOwnSpace(stage, "Anna's laptop", anna)
  await newFolder(annas.page, 'Summer')
  await newChat(annas.page, 'Trip')
  await say(annas.page, 'Who brings the tent?')
  await newChat(annas.page, 'Camp')
  await say(annas.page, 'We leave on Friday')
  await synced(annas.page)
  const link = await invite(annas.page, 'viewer')
  const bens = await acceptInvite(stage, "Ben's laptop", ben, link)
  const title = (): Promise<string> => bens.page.getByTestId('chat-title').inputValue()
  await message(bens.page, 'We leave on Friday').waitFor()
  await expect.poll(title).toBe('Camp')
  await treeItem(bens.page, { title: 'Camp', selected: true }).waitFor()
  await stage.shot(bens, 'joined')

  // Once a member, the link leads to where they were.
  await treeItem(bens.page, { title: 'Trip' }).click()
  await message(bens.page, 'Who brings the tent?').waitFor()
  await newSpace(bens.page, 'Elsewhere')
  await visit(bens.page, linkOn(bens, link))
  await bens.page.getByTestId('invite-open').click()
  await message(bens.page, 'Who brings the tent?').waitFor()
  await expect.poll(title).toBe('Trip')
})

story('somebody who follows a link to a space that they are in is told so, and opens it', async (stage) => {
  const annas = await openOwnSpace(stage, "Anna's laptop", anna)
  const spaceId = await spaceOf(annas.page)
  const link = await invite(annas.page, 'viewer')
  const { page } = annas
  await newSpace(page, 'Elsewhere')
  await visit(page, linkOn(annas, link))
  await page.getByTestId('invite-member').waitFor()
  await stage.shot(annas, 'a member already')
  expect(await page.getByTestId('invite-join').count()).toBe(0)
  await page.getByTestId('invite-open').click()
  await page.getByTestId('invite-dialog').waitFor({ state: 'hidden' })
  await expect.poll(() => spaceOf(page)).toBe(spaceId)
  // It is not asked about again.
  await reload(page)
  await ready(page)
  expect(await page.getByTestId('invite-dialog').count()).toBe(0)
})

story(
  'an invite that does not work says so, and one that cannot be asked about can be tried again',
  async (stage) => {
    const annas = await openOwnSpace(stage, "Anna's laptop", anna)
    const link = await invite(annas.page, 'editor')
    const bens = await stage.device("Ben's laptop")
    const { page } = bens
    bens.expectErrors(/status of 404/)
    await page.goto(`${bens.url}/invite/nonsense`)
    const problem = page.getByTestId('invite-problem')
    await problem.waitFor()
    expect(await problem.innerText()).toContain('does not work')
    await stage.shot(bens, 'nonsense')
    await page.getByTestId('invite-decline').click()
    await signUp(page, ben)
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))

    await bens.goOffline()
    await visit(page, linkOn(bens, link))
    await problem.waitFor()
    expect(await problem.innerText()).toContain('cannot be reached')
    await bens.goOnline()
    await page.getByTestId('invite-again').click()
    await page.getByTestId('invite-join').waitFor()
  },
)
