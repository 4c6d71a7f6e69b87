import { expect, test } from 'vitest'

import { Replica } from './replica.ts'
import { watchDeletions } from './watch-deletions.ts'

test('watchDeletions reports once per delivery what was deleted or came back, and no other edits', () => {
  const tree = Replica.create('root')
  const [a, b, c] = ['a', 'b', 'c'].map((name) => tree.newNamedVertex('root', name).id) as [
    string,
    string,
    string,
  ]
  tree.deleteVertex(a)
  tree.flushEvents()
  const heard: string[][] = []
  const stop = watchDeletions(tree, (ids) => heard.push([...ids]))
  const remote = tree.replicate('3')
  for (const id of [b, c]) remote.deleteVertex(id)
  remote.newVertex('root')
  tree.merge(remote.getAllOps())
  tree.flushEvents()
  tree.moveVertex(c, 'root')
  tree.flushEvents()
  tree.newVertex('root').moveTo(tree.getVertex(c)!)
  tree.setVertexProperty('root', 'k', 1)
  tree.flushEvents()
  stop()
  tree.deleteVertex(c)
  tree.flushEvents()
  expect(heard).toEqual([[b, c], []])
})
