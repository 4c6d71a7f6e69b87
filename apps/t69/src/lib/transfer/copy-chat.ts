import { startOfText } from '@t69/protocol'
import type { Space } from '@t69/sync-client'

import { addItem, folderOf, itemOfTree, titleOf } from '../model/space-tree.ts'
import { edit, rootOf } from '../model/tree.ts'
import { fileTreeOf } from './space-file.ts'

/** Vertices that are made in one task, which must not hold up a frame. */
const verticesPerTask = 100

/**
 * Copies a chat with all its versions into a space, the same one or another. It is in the sidebar there once it is whole.
 * Resolves with the id of its tree.
 */
export async function copyChat(from: Space, treeId: string, to: Space): Promise<string> {
  if (!to.rights.edit) throw new Error('You can only read that space.')
  await to.loaded()
  const item = itemOfTree(from.root, treeId)
  const isHere = from === to
  const title = item === undefined ? '' : titleOf(item)
  const name = isHere ? `${startOfText(title, 190)} (copy)` : title
  const original = await from.openTree(treeId)
  const copy = await to.createTree()
  const copyId = to.treeIdOf(copy)
  try {
    const { vertices } = fileTreeOf(original, treeId)
    const ids = new Map<string, string>([[treeId, copyId]])
    const inTasks = async (work: (vertex: (typeof vertices)[number]) => void): Promise<void> => {
      for (let start = 0; start < vertices.length; start += verticesPerTask) {
        edit(copy, () => vertices.slice(start, start + verticesPerTask).forEach(work))
        await new Promise((resolve) => setTimeout(resolve))
      }
    }
    await inTasks(({ id, parentId }) => {
      if (parentId === null) return
      const parent = copy.getVertex(ids.get(parentId) ?? copyId) ?? rootOf(copy)
      ids.set(id, parent.newChild().id)
    })
    await inTasks(({ id, properties }) => {
      const renamed = Object.entries(properties).map(([key, value]) => {
        const isName = typeof value === 'string' && ids.has(value)
        return [key, isName ? (ids.get(value) ?? value) : value] as const
      })
      copy.getVertex(ids.get(id) ?? '')?.setProperties(Object.fromEntries(renamed))
    })
    edit(copy, () => rootOf(copy).setProperty('title', name))
    const folderId = isHere && item !== undefined ? folderOf(from.root, item.id) : null
    addItem(to.root, { title: name, treeId: copyId, folderId })
    await to.stored()
    return copyId
  } finally {
    await from.closeTree(treeId)
    await to.closeTree(copyId)
  }
}
