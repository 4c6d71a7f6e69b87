import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { addMessage, addVersion, layOutChat, messageOf, threadOf } from './chat-tree.ts'
import { choicesTo } from './choices-to.ts'
import type { Tree } from './tree.ts'

let now = 1_000
const message = (text: string) => ({ role: 'user' as const, text, createdAt: (now += 1_000) })

function texts(tree: Tree, chosen: ReadonlySet<string> = new Set()): string[] {
  return threadOf(tree, undefined, chosen).map(({ id }) => messageOf(tree.getVertex(id)!).text)
}

test('a message below versions that nobody sees is shown by a choice at each of them', async () => {
  await using space = await localSpace()
  const tree = await space.createTree()
  layOutChat(tree, 'A chat')
  const [question, answer] = ['one', 'two'].map((text) => addMessage(tree, message(text)))
  const [asked, answered] = threadOf(tree)
  const other = addVersion(tree, answered!, message('two again'))
  const below = addMessage(tree, message('three'), answer)
  addVersion(tree, asked!, message('one again'))
  expect(texts(tree)).toEqual(['one again'])

  const seen = (id: string): string[] => {
    return texts(tree, new Set(choicesTo(tree, id, new Set()).map((choice) => choice.id)))
  }
  expect(seen(question!)).toEqual(['one', 'two again'])
  expect(seen(other)).toEqual(['one', 'two again'])
  expect(seen(below)).toEqual(['one', 'two', 'three'])
  // Another choice at the same place gives way.
  expect(choicesTo(tree, below, new Set([question!, other])).map(({ id }) => id)).toEqual([answer])
  expect(choicesTo(tree, below, new Set([question!, answer!]))).toEqual([])
  expect(choicesTo(tree, 'nowhere', new Set())).toEqual([])
})
