import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  message,
  messages,
  newChat,
  openSpace,
  openT69,
  ready,
  say,
  signIn,
  spaceOf,
  synced,
  treeItem,
} from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

const anna = accountOf('Anna')

story(
  'a private window keeps everything until it is closed, and the server keeps what was synced',
  async (stage) => {
    // A context without a profile on disk is a private window.
    const window = await openOwnSpace(stage, "Anna's private window", anna)
    await newChat(window.page, 'Diary')
    await say(window.page, 'In private')
    const spaceId = await spaceOf(window.page)
    await window.goOffline()
    await say(window.page, 'In private, offline')
    await window.goOnline()
    await window.page.reload()
    await message(window.page, 'In private, offline').waitFor()
    const tab = await window.newTab(`/${new URL(window.page.url()).hash}`)
    await ready(tab)
    await message(tab, 'In private, offline').waitFor()
    await synced(tab)
    await window.context.close()

    const next = await stage.device("Anna's next private window")
    await openT69(next.page, next.url)
    await next.page.getByTestId('sign-in').waitFor()
    await signIn(next.page, anna)
    await openSpace(next.page, spaceId)
    await treeItem(next.page, { title: 'Diary' }).click()
    await expect.poll(() => messages(next.page)).toEqual(['In private', 'In private, offline'])
    await stage.shot(next, 'what was synced')
  },
)
