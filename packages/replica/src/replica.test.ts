import { RepTree, type VertexOperation } from 'reptree'
import { expect, test } from 'vitest'

import { Replica } from './replica.ts'

test('a new tree has its root and hands over the operations for it and every later edit, once and in order', () => {
  const tree = Replica.create('root')
  const ops: VertexOperation[] = []
  tree.onLocalOp((op) => ops.push(op))
  expect(tree.root?.id).toBe('root')
  expect(ops.map((op) => op.targetId)).toEqual(['0', '0', 'root', 'root'])

  const child = tree.root!.newNamedChild('notes', { done: false })
  child.setProperty('done', true)
  child.delete()
  expect(ops.map((op) => op.id.counter)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  expect(tree.popLocalOps()).toEqual([])

  const copy = new Replica({ ops })
  expect(copy.digest()).toBe(tree.digest())
  expect(copy.getAllOps()).toHaveLength(10)
  expect(copy.popLocalOps()).toEqual([])
  expect(new RepTree('1', ops).getVertex(child.id)?.getProperties()).toEqual(child.getProperties())
})

test('an empty replica that merges a log adds nothing to it', () => {
  const ops = Replica.create('root').popLocalOps()
  const replica = new Replica()
  expect(replica.root).toBeUndefined()
  replica.merge(ops)
  expect(replica.root?.id).toBe('root')
  expect(replica.popLocalOps()).toEqual([])
  expect(replica.getAllOps()).toHaveLength(ops.length)
})
