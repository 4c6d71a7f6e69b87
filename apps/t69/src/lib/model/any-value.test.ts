import { jsonValueProblem, type JsonValue } from '@t69/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { localSpace } from '../testing/local-space.ts'
import { bylineOf, earlierAuthorOf } from './authorship.ts'
import { addMessage, addVersion, layOutChat, messageOf, threadOf } from './chat-tree.ts'
import { deletedItemsOf, deleteItem, deleterName } from './deletions.ts'
import { addProvider, providersOf, secretKeyOf } from './providers.ts'
import { addItem, forestRows, isBlank, itemOfTree, layOutSpace, titleOf } from './space-tree.ts'
import type { Tree } from './tree.ts'

/** Every property of a vertex that the app reads. */
const keys =
  '_c _n name title tid deleted authorBeforeSync id baseUrl model text role createdAt author authorId main versionOf pinned activeAt'.split(
    ' ',
  )

const nasty: JsonValue[] = [
  1e300,
  -1e300,
  8.64e15,
  '',
  { toString: 1, valueOf: 1 },
  { at: 1e300, by: { id: 1 } },
]
const value = fc.oneof(
  fc.constantFrom(...nasty),
  // A value that the rules do not allow is refused before it is written.
  fc
    .jsonValue()
    .map((it) => JSON.parse(JSON.stringify(it)) as JsonValue)
    .filter((it) => jsonValueProblem(it) === undefined),
)
/** The vertex to write to, by its number; null for all. */
const place = fc.option(fc.nat())
const write = fc.record({ place, key: fc.constantFrom(...keys), value })
const writes = fc.array(write, { minLength: 10, maxLength: 40 })

const anybody = { id: 'anna', isAlone: false, earlier: undefined }
const asDate = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' })

function writeInto(tree: Tree, place: number | null, key: string, value: JsonValue): void {
  const vertices = tree.getAllVertices()
  const some = place === null ? vertices : vertices.slice(place % vertices.length).slice(0, 1)
  for (const vertex of some) vertex.setProperty(key, value)
}

/** Reads what the sidebar, the settings and the list of deleted items show. */
function readSpace(tree: Tree): void {
  for (const { id } of forestRows(tree, () => true)) titleOf(tree.getVertex(id)!)
  for (const provider of providersOf(tree)) secretKeyOf(provider)
  for (const { by, at } of deletedItemsOf(tree))
    expect([deleterName(by, anybody, (userId) => userId), asDate.format(at ?? 0)]).toHaveLength(2)
  itemOfTree(tree, 'none')
  isBlank(tree)
}

/** Reads what a chat and its messages show. */
function readChat(tree: Tree, space: Tree): void {
  const reader = { ...anybody, earlier: earlierAuthorOf(space) }
  for (const { id } of threadOf(tree)) {
    const message = messageOf(tree.getVertex(id)!)
    bylineOf(message, reader)
    new Date(message.createdAt).toISOString()
    asDate.format(message.createdAt)
  }
}

test('the space and its chats are shown, whatever values a member writes into them', async () => {
  await fc.assert(
    fc.asyncProperty(writes, writes, async (inSpace, inChat) => {
      await using space = await localSpace()
      const tree = space.root
      layOutSpace(tree)
      const folderId = addItem(tree, { title: 'Folder' })
      addItem(tree, { title: 'Chat', treeId: 't1', folderId })
      deleteItem(tree, addItem(tree, { title: 'Gone' }), { by: null, at: 1_000 })
      addProvider(tree, {
        id: 'p',
        title: 'Home',
        protocol: 'openai',
        baseUrl: 'http://localhost',
        model: 'small',
        needsKey: false,
      })
      const chat = await space.createTree()
      layOutChat(chat, 'Chat')
      addMessage(chat, { role: 'user', text: 'asked', createdAt: 1_000 })
      addMessage(chat, { role: 'assistant', text: 'answered', createdAt: 2_000 })
      addVersion(chat, threadOf(chat)[0]!, { role: 'user', text: 'asked better', createdAt: 3_000 })

      for (const { place, key, value } of inSpace) writeInto(tree, place, key, value)
      for (const { place, key, value } of inChat) writeInto(chat, place, key, value)
      expect(() => readSpace(tree)).not.toThrow()
      expect(() => readChat(chat, tree)).not.toThrow()
    }),
    { numRuns: 200 },
  )
})
