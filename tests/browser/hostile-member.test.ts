import { createSyncClient, memoryStorage, type Replica } from '@t69/sync-client'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import {
  accountOf,
  invite,
  messages,
  newChat,
  newFolder,
  ready,
  say,
  synced,
  treeRows,
} from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

/** The child of the root that had this name before anybody changed it. */
const part = (tree: Replica, name: string) => tree.root!.children.find((child) => child.name === name)!

story(
  'a member who edits the structure of a space and its chats hides nothing from others',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", accountOf('Anna'))
    const { page } = laptop
    await newFolder(page, 'Trips')
    await newChat(page, 'Sea')
    await newChat(page, 'Diary')
    await say(page, 'Sunny')
    await say(page, 'Rain')
    await synced(page)
    const before = { rows: await treeRows(page), messages: await messages(page) }
    const chatId = (await page.getByTestId('app').getAttribute('data-chat-id')) ?? ''

    await using ben = createSyncClient({ url: stage.server.url, storage: memoryStorage() })
    await ben.signUp(accountOf('Ben'))
    const link = await invite(page, 'editor')
    const { id } = await ben.acceptInvite(new URL(link).pathname.replace('/invite/', ''))
    const space = await ben.openSpace(id)
    await space.loaded()
    const tree = space.root
    const chat = await space.openTree(chatId)
    await space.loaded({ treeId: chatId })
    await expect.poll(() => tree.root!.children.length).toBeGreaterThan(3)
    await expect.poll(() => chat.root!.children.length).toBeGreaterThan(1)
    const [forest, settings, providers] = ['app-forest', 'settings', 'providers'].map((name) =>
      part(tree, name),
    )
    const [log, jobs] = [part(chat, 'messages'), part(chat, 'jobs')]

    const deeds: Record<string, () => void> = {
      rename() {
        for (const vertex of [forest!, settings!, providers!, log, jobs]) vertex.setProperty('name', 'x')
        tree.root!.setProperty('name', 'app-forest')
        chat.root!.setProperty('name', 'messages')
      },
      move() {
        tree.moveVertex(forest!.id, settings!.id)
        tree.moveVertex(settings!.id, providers!.id)
        chat.moveVertex(log.id, jobs.id)
      },
      'remove from the chat'() {
        chat.deleteVertex(jobs.id)
        log.setProperty('tid', chatId)
      },
      duplicate() {
        for (const name of ['app-forest', 'settings']) tree.root!.newNamedChild(name)
        chat.root!.newNamedChild('messages')
      },
    }
    for (const [deed, carryOut] of Object.entries(deeds)) {
      carryOut()
      await space.flushed()
      // A message of Ben's comes after his deed, so the deed is on screen once that is.
      const last = chat.getVertex(log.id)!.children[0]!
      last.newNamedChild('message', { role: 'user', text: deed, createdAt: Date.now() })
      before.messages.push(deed)
      await expect.poll(() => messages(page)).toEqual(before.messages)
      expect(await treeRows(page), deed).toEqual(before.rows)
      await page.reload()
      await ready(page)
      await expect.poll(() => treeRows(page), { message: deed }).toEqual(before.rows)
      await expect.poll(() => messages(page), { message: deed }).toEqual(before.messages)
    }
    await stage.shot(laptop, 'after all of it')

    // What takes chats away is listed, whatever it was done to.
    tree.deleteVertex(providers!.id)
    for (const item of tree.getAllVertices())
      if (item.getProperty('tid') !== undefined) item.setProperty('tid', 'x')
    await space.flushed()
    await expect.poll(() => treeRows(page)).toEqual([])
    await page.getByTestId('space-switcher').click()
    await page.getByTestId('recently-deleted').click()
    const lost = page.getByTestId('restore-lost')
    await expect.poll(() => lost.count()).toBe(2)
    await stage.shot(laptop, 'listed')
    await page.getByTestId('restore-deletion').first().click()
    for (const left of [1, 0]) {
      await lost.first().click()
      await expect.poll(() => lost.count()).toBe(left)
    }
    await page.getByTestId('close-dialog').click()
    await expect
      .poll(async () => (await treeRows(page)).map((row) => row.trim()))
      .toEqual(expect.arrayContaining(['Sea', 'Diary']))
    await stage.shot(laptop, 'restored')
  },
)
