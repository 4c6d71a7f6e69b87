import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  enableSync,
  messages,
  newChat,
  newFolder,
  openT69,
  say,
  showSidebar,
  signUp,
  status,
  treeItem,
  treeRows,
} from '../lib/t69-page.ts'

story('a phone is enough to write, organise, sign up and sync', async (stage) => {
  const phone = await stage.device("Ben's phone", {
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  })
  await openT69(phone.page, phone.url)
  await stage.shot(phone, 'first look')
  await newChat(phone.page, 'Packing list')
  await say(phone.page, 'Passport')
  await say(
    phone.page,
    'A message that is long enough to need several lines on a screen as narrow as this one is',
  )
  await stage.shot(phone, 'in a chat')
  await newFolder(phone.page, 'Travel')
  await treeItem(phone.page, { title: 'Packing list' }).getByTestId('tree-menu').tap()
  await stage.shot(phone, 'the menu of a chat')
  await phone.page.getByTestId('menu-move').tap()
  await phone.page.getByTestId('move-target').filter({ hasText: 'Travel' }).tap()
  await expect.poll(() => treeRows(phone.page)).toContain('  Packing list')
  await signUp(phone.page, accountOf('Ben'))
  await enableSync(phone.page)
  await stage.shot(phone, 'synced')
  expect((await status(phone.page)).text).not.toBe('')
  await showSidebar(phone.page)
  await treeItem(phone.page, { title: 'Packing list' }).tap()
  await expect.poll(() => messages(phone.page)).toHaveLength(2)
  // Nothing is wider than the screen.
  const overflow = await phone.page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  expect(overflow).toBe(0)
})
