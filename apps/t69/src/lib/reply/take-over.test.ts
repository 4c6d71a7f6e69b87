import { expect, test } from 'vitest'

import { addMessage, layOutChat } from '../model/chat-tree.ts'
import { localSpace } from '../testing/local-space.ts'
import { claimsOn } from './take-over.ts'

test('a claim from the future keeps nobody from answering in place of a device that is gone', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'Chat')
  const vertex = tree.getVertex(addMessage(tree, { role: 'assistant', text: '', createdAt: 1 }))!
  const now = 1_700_000_000_000
  const year = 365 * 24 * 3_600_000
  vertex.setProperty('claim.0', now + year)
  vertex.setProperty('claim.1', Number.MAX_SAFE_INTEGER)
  vertex.setProperty('claim.2', now - year)
  vertex.setProperty('claim.3', 'soon')
  expect(claimsOn(vertex, now)).toEqual([])
  // The clocks of two devices differ a little, both ways.
  vertex.setProperty('claim.own', now - 1_000)
  vertex.setProperty('claim.other', now + 1_000)
  expect(claimsOn(vertex, now).toSorted()).toEqual(['claim.other', 'claim.own'])
  // It counts once its time comes, and no longer than another.
  expect(claimsOn(vertex, now + year)).toEqual(['claim.0'])
  expect(claimsOn(vertex, now + year + 31_000)).toEqual([])
})
