import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { addMessage, layOutChat } from './chat-tree.ts'
import { sizeProblem } from './message-size.ts'

test('a text is too long for a message exactly when a tree refuses it', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'Long')
  const write = (text: string) => () => addMessage(tree, { role: 'user', text, createdAt: 1 })
  const largest = 512 * 1024 - 2
  for (const text of ['short', 'x'.repeat(largest), 'é'.repeat(largest / 2)]) {
    expect(sizeProblem(text)).toBeNull()
    expect(write(text)).not.toThrow()
  }
  for (const text of ['x'.repeat(largest + 1), 'é'.repeat(largest / 2 + 1), '\n'.repeat(300_000)]) {
    expect(sizeProblem(text)).toContain('the limit is 512 kB')
    expect(write(text)).toThrow(/bytes of JSON/)
  }
})
