import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  messages,
  newChat,
  newFolder,
  openSpace,
  openT69,
  ready,
  say,
  showSidebar,
  signIn,
  signUp,
  status,
  synced,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'

const anna = accountOf('Anna')

story('someone writes at once, signed out, and finds it again without any server', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  await openT69(laptop.page, laptop.url)
  expect((await status(laptop.page)).phase).toBe('local')
  await newChat(laptop.page, 'Plans for the garden')
  await say(laptop.page, 'Beans along the fence')
  await say(laptop.page, 'Roses by the door')
  await newFolder(laptop.page, 'House')
  await stage.shot(laptop, 'writing signed out')
  const rows = await treeRows(laptop.page)

  // The page itself comes from the device too, once it was here.
  await laptop.page.evaluate(() => navigator.serviceWorker.ready.then(() => null))
  laptop.expectErrors(/net::ERR_|Failed to fetch/)
  await stage.server.kill()
  await laptop.page.reload()
  await ready(laptop.page)
  await treeItem(laptop.page, { title: 'Plans for the garden' }).click()
  await expect.poll(() => messages(laptop.page)).toEqual(['Beans along the fence', 'Roses by the door'])
  expect(await treeRows(laptop.page)).toEqual(rows)
  await stage.shot(laptop, 'reloaded without a server')
})

story('signing up and syncing a local space takes up everything written before', async (stage) => {
  const laptop = await stage.device("Anna's laptop")
  await openT69(laptop.page, laptop.url)
  await newChat(laptop.page, 'Plans for the garden')
  await say(laptop.page, 'Beans along the fence')
  await say(laptop.page, 'Roses by the door')
  await newFolder(laptop.page, 'House')
  const spaceId = (await laptop.page.getByTestId('app').getAttribute('data-space-id')) ?? ''
  await signUp(laptop.page, anna)
  expect((await status(laptop.page)).phase).toBe('local')
  await enableSync(laptop.page)
  await stage.shot(laptop, 'synced')

  const phone = await stage.device("Anna's other browser")
  await openT69(phone.page, phone.url)
  await signIn(phone.page, anna)
  await openSpace(phone.page, spaceId)
  await synced(phone.page)
  await expect.poll(() => treeRows(phone.page)).toEqual(await treeRows(laptop.page))
  await treeItem(phone.page, { title: 'Plans for the garden' }).click()
  await expect.poll(() => messages(phone.page)).toEqual(['Beans along the fence', 'Roses by the door'])
  await stage.shot(phone, 'the space on the second browser')

  // Signed in stays signed in.
  await phone.page.reload()
  await synced(phone.page)
  await showSidebar(phone.page)
  await expect.poll(() => phone.page.getByTestId('account').innerText()).toContain('Anna')
})
