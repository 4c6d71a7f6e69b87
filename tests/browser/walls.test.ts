import { createSyncClient, memoryStorage } from '@t69/sync-client'
import { expect } from 'vitest'

import { story } from '../lib/story.ts'
import { accountOf, invite, message, newChat, say, synced, treeItem, treeRows } from '../lib/t69-page.ts'
import { openOwnSpace } from '../lib/two-people.ts'

/** Of each kind, as much as a value may hold. */
const walls = {
  lines: '\n'.repeat(250_000),
  accents: `e${'\u0301'.repeat(240_000)}`,
  letters: 'W'.repeat(500_000),
  emoji: '😀'.repeat(120_000),
}

story(
  'walls of lines, accents and letters from a member bury neither the page nor what others write',
  async (stage) => {
    const laptop = await openOwnSpace(stage, "Anna's laptop", accountOf('Anna'))
    const { page } = laptop
    await newChat(page, 'Mine')
    await say(page, 'Hello')
    await synced(page)
    const chatId = (await page.getByTestId('app').getAttribute('data-chat-id')) ?? ''
    await newChat(page, 'Elsewhere')

    await using ben = createSyncClient({ url: stage.server.url, storage: memoryStorage() })
    await ben.signUp(accountOf('Ben'))
    const link = await invite(page, 'editor')
    const { id } = await ben.acceptInvite(new URL(link).pathname.replace('/invite/', ''))
    const space = await ben.openSpace(id)
    await space.loaded()
    const chat = await space.openTree(chatId)
    await space.loaded({ treeId: chatId })
    let last = await expect
      .poll(() => chat.root!.children.find(({ name }) => name === 'messages')?.children[0])
      .toBeDefined()
      .then(() => chat.root!.children.find(({ name }) => name === 'messages')!.children[0]!)
    for (const round of [1, 2, 3]) {
      for (const [kind, text] of Object.entries(walls)) {
        const createdAt = Date.now()
        last = last.newNamedChild('message', { role: 'user', text, author: text, createdAt })
        const forest = space.root.root!.children.find(({ name }) => name === 'app-forest')!
        if (round === 1) forest.newChild({ title: text, tid: `tree-of-${kind}` })
        await space.flushed()
      }
    }
    const done = last.newNamedChild('message', {
      role: 'user',
      text: 'After the walls',
      createdAt: Date.now(),
    })
    done.setProperty('author', walls.accents)
    await space.flushed()

    await expect.poll(async () => (await treeRows(page)).length).toBe(6)
    for (const row of await treeRows(page)) expect(row.length).toBeLessThanOrEqual(200)
    await treeItem(page, { title: 'Mine' }).click()
    await message(page, 'After the walls').waitFor()
    await stage.shot(laptop, 'after the walls')
    const size = await page.evaluate(() => ({
      text: document.body.textContent.length,
      attributes: Array.from(document.querySelectorAll('*')).reduce(
        (sum, { attributes }) =>
          sum + Array.from(attributes).reduce((length, { value }) => length + value.length, 0),
        0,
      ),
      // A box for each line of text that was laid out.
      lines: Array.from(document.querySelectorAll('[data-testid=message-text]')).reduce((sum, element) => {
        const range = document.createRange()
        range.selectNodeContents(element)
        return sum + range.getClientRects().length
      }, 0),
      widest: document.documentElement.scrollWidth,
      authors: Math.max(
        ...Array.from(document.querySelectorAll('[data-testid=message-author]'), (it) => it.clientHeight),
      ),
    }))
    expect(size.text).toBeLessThan(400_000)
    expect(size.attributes).toBeLessThan(50_000)
    expect(size.lines).toBeLessThan(5_000)
    expect(size.lines).toBeGreaterThan(100)
    expect(size.widest).toBeLessThanOrEqual(1_200)
    expect(size.authors).toBeLessThan(120)

    // All of it is there for who asks for it.
    const cut = page
      .getByTestId('message')
      .filter({ has: page.getByTestId('show-whole') })
      .last()
    const wall = page.locator(`[data-testid=message][data-id="${await cut.getAttribute('data-id')}"]`)
    await wall.getByTestId('show-whole').click()
    const length = () => wall.getByTestId('message-text').evaluate((it) => it.textContent.length)
    await expect.poll(length).toBeGreaterThan(200_000)
  },
)
