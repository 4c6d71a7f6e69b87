import { expect, test } from 'vitest'

import { addMessage, layOutChat } from '../model/chat-tree.ts'
import { localSpace } from '../testing/local-space.ts'
import { askToStop, watchStop } from './stop-elsewhere.ts'

test('a mark stops a reply once the server says that it is of the same account, and that of another account does not', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'Chat')
  const replyId = addMessage(tree, { role: 'assistant', text: '', createdAt: 1 })
  let author: string | null = null
  let told = (): void => {}
  let stops = 0
  const view = {
    space: {
      treeIdOf: () => space.treeIdOf(tree),
      onAuthors(listener: (treeId: ReturnType<typeof space.treeIdOf>) => void) {
        told = () => listener(space.treeIdOf(tree))
        return () => {}
      },
    },
    authors: { find: () => (author === null ? null : { userId: author }) },
    unread: { me: 'anna' },
    status: { phase: 'live' as const },
  }
  const end = watchStop(view, tree, replyId, () => stops++)
  askToStop(tree, replyId)
  expect(stops).toBe(0)
  author = 'ben'
  told()
  expect(stops).toBe(0)
  author = 'anna'
  told()
  expect(stops).toBe(1)
  end()
  askToStop(tree, replyId)
  expect(stops).toBe(1)
})

test('in a space that is on this device alone, a mark is that of another tab', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'Chat')
  const replyId = addMessage(tree, { role: 'assistant', text: '', createdAt: 1 })
  let stops = 0
  const view = {
    space,
    authors: { find: () => null },
    unread: { me: null },
    status: { phase: 'local' as const },
  }
  watchStop(view, tree, replyId, () => stops++)
  expect(stops).toBe(0)
  askToStop(tree, replyId)
  expect(stops).toBe(1)
})
