import { treeOperationSchema } from '@t69/protocol'
import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { addMessage, layOutChat } from './chat-tree.ts'
import { rejectedItemsOf, roomAdvice } from './rejected-edits.ts'
import { addItem, layOutSpace } from './space-tree.ts'

test('refused edits are listed by what the user wrote, once for each thing', async () => {
  await using space = await localSpace()
  layOutSpace(space.root)
  const chat = await space.createTree()
  const treeId = space.treeIdOf(chat)
  layOutChat(chat, 'Plans')
  const itemId = addItem(space.root, { title: 'Plans', treeId, folderId: null })
  const text = 'Hello, here is all of it'
  const messageId = addMessage(chat, { role: 'user', text, createdAt: 1 })

  let clock = 1
  const refused = (
    op: object,
    code: 'op_conflict' | 'invalid_batch' | 'too_large' | 'quota_exceeded',
    message = 'Says the server',
  ) => ({
    op: treeOperationSchema.parse({ clock: clock++, peerId: 'a', spaceId: space.id, treeId, ...op }),
    code,
    message,
  })
  const words = rejectedItemsOf(
    [
      refused({ targetId: messageId, key: 'text', value: text }, 'too_large'),
      refused({ targetId: messageId, key: 'role', value: 'user' }, 'too_large'),
      refused({ targetId: treeId, key: 'title', value: 'Plans' }, 'invalid_batch'),
      refused({ treeId: space.id, targetId: itemId, parentId: 'elsewhere' }, 'op_conflict'),
      refused({ treeId: space.id, targetId: itemId, key: 'title', value: 'Plans' }, 'op_conflict'),
      refused({ treeId: 'gone', targetId: 'x', key: 'y', value: 1 }, 'op_conflict'),
    ],
    space.root,
    new Map([[treeId, chat]]),
  ).map(({ what, why }) => `${what}: ${why}`)
  expect(words).toEqual([
    'Your message “Hello, here is all of it” in the chat “Plans”: It is larger than 512 kB.',
    'The title of the chat “Plans”: The server cannot read this edit.',
    'The position of “Plans”: The server already has a different edit in its place.',
    'The title “Plans”: The server already has a different edit in its place.',
    'A part of a chat: The server already has a different edit in its place.',
  ])
  const full = [
    refused({ targetId: treeId, key: 'title', value: 'More' }, 'quota_exceeded', 'the space is full'),
  ]
  expect(rejectedItemsOf(full, space.root, new Map())[0]?.why).toMatch(/^There is no room/)
  expect(roomAdvice(full)).toContain('makes no room')
  expect(roomAdvice([refused({ targetId: treeId, key: 'title', value: 'x' }, 'op_conflict')])).toBeNull()
})
