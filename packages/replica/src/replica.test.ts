import { RepTree, type VertexOperation } from 'reptree'
import { expect, test } from 'vitest'

import { Replica } from './replica.ts'

const move = (
  counter: number,
  peerId: string,
  targetId: string,
  parentId: string | null,
): VertexOperation => ({
  id: { counter, peerId },
  targetId,
  parentId,
})
const set = (
  counter: number,
  peerId: string,
  targetId: string,
  key: string,
  value: string,
): VertexOperation => ({
  id: { counter, peerId },
  targetId,
  key,
  value,
  transient: false,
})
const root = move(1, '1', 'root', null)

test('a new tree has a root, and hands the operations of that and of every edit to its listener, once and in order', () => {
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
  const bare = new RepTree('1', ops)
  expect(bare.getVertex(child.id)?.getProperties()).toEqual(child.getProperties())
})

test('local operations wait for the first listener or popLocalOps, and are then gone', () => {
  const tree = Replica.create('root')
  expect(tree.popLocalOps()).toHaveLength(4)
  tree.newVertex('root')
  const heard: number[] = []
  const stop = tree.onLocalOp((op) => heard.push(op.id.counter))
  expect(heard).toEqual([5, 6])
  stop()
  tree.setVertexProperty('root', 'name', 'x')
  expect(tree.popLocalOps().map((op) => op.id.counter)).toEqual([7])
  expect(heard).toEqual([5, 6])
})

test('every listener gets an edit before the edit that another listener answers it with', () => {
  const tree = Replica.create('root')
  const heard: string[] = []
  tree.onLocalOp((op) => {
    if ('key' in op && op.key === 'question') tree.setVertexProperty('root', 'answer', 42)
  })
  tree.onLocalOp((op) => heard.push('key' in op ? op.key : 'move'))
  tree.setVertexProperty('root', 'question', '?')
  expect(heard).toEqual(['question', 'answer'])
})

test('an edit has taken effect when a listener gets it, even if another listener throws', () => {
  const errors: unknown[] = []
  const tree = new Replica({ ops: [root], onListenerError: (error) => errors.push(error) })
  const broken = new Error('broken')
  tree.onLocalOp(() => {
    throw broken
  })
  const seen: unknown[] = []
  tree.onLocalOp((op) => seen.push(tree.getVertex(op.targetId)?.getProperty('name')))
  tree.setVertexProperty('root', 'name', 'x')
  expect(seen).toEqual(['x'])
  expect(errors).toEqual([broken])
})

test('an empty replica that merges a log makes no operations, and finds the root and paths', () => {
  const source = Replica.create('root')
  const notes = source.root!.newNamedChild('notes').newNamedChild('today')
  const replica = new Replica()
  expect(replica.root).toBeUndefined()
  expect(replica.getVertexByPath('notes')).toBeUndefined()
  replica.merge(source.getAllOps().toReversed())
  expect(replica.root?.id).toBe('root')
  expect(replica.getVertexByPath('/notes/today/')?.id).toBe(notes.id)
  expect(replica.popLocalOps()).toEqual([])
  expect(replica.getAllOps()).toHaveLength(source.getAllOps().length)
})

test('the root is the vertex with the tree id, or else the first that was created without a parent', () => {
  const ops = [move(5, '1', 'second', null), move(3, '1', 'first', null)]
  expect(new Replica({ ops }).root?.id).toBe('first')
  expect(new Replica({ ops, treeId: 'second' }).root?.id).toBe('second')
  expect(new Replica({ ops, treeId: 'third' }).root).toBeUndefined()
  expect(new Replica({ ops, treeId: 'second' }).replicate('7').root?.id).toBe('second')
})

test('a deleted vertex is below the null vertex, even if the log has no operation for that', () => {
  const tree = new Replica({ ops: [root, move(2, '1', 'a', 'root')] })
  tree.deleteVertex('a')
  expect(tree.getChildrenIds('root')).toEqual([])
  expect(tree.getVertex('a')?.parentId).toBe('0')
  expect(tree.getChildrenIds('0')).toEqual(['a'])
})

test('[RE5] operations on unknown vertices advance the clock, and take effect once the vertices arrive', () => {
  const tree = new Replica({ ops: [root, move(2, '1', 'a', 'root')] })
  const waiting = [move(8, '2', 'b', 'p'), move(9, '2', 'a', 'p'), set(90, '2', 'p', 'name', 'parent')]
  tree.merge(waiting)
  tree.merge(waiting)
  expect(tree.getVertex('b')).toBeUndefined()
  expect(tree.getVertex('p')).toBeUndefined()
  expect(tree.getVertex('a')?.parentId).toBe('root')
  expect(tree.getAllOps()).toHaveLength(5)
  tree.merge([move(7, '2', 'p', 'root')])
  expect(tree.getChildrenIds('p')).toEqual(['b', 'a'])
  expect(tree.getVertex('p')?.name).toBe('parent')
  tree.setVertexProperty('p', 'name', 'x')
  expect(tree.popLocalOps()[0]?.id.counter).toBe(91)
})

test('a local edit has a higher clock than every known operation, even those without effect', () => {
  const tree = new Replica({
    ops: [root, set(50, '1', 'root', 'name', 'late'), set(40, '2', 'root', 'name', 'early')],
  })
  expect(tree.root?.name).toBe('late')
  tree.setVertexProperty('root', 'name', 'now')
  expect(tree.popLocalOps()[0]?.id.counter).toBe(51)
  expect(tree.root?.name).toBe('now')
})

test('[RE1] peers are ordered by the code units of their ids', () => {
  const names = ['aa', 'z', 'Z', 'x\u200d', 'x'].map((peerId) => set(2, peerId, 'root', 'name', peerId))
  expect(new Replica({ ops: [root, ...names] }).root?.name).toBe('z')
  expect(new Replica({ ops: [root, ...names.toReversed()] }).root?.name).toBe('z')
  const alike = [set(2, 'x\u200d', 'root', 'name', 'two'), set(2, 'x', 'root', 'name', 'one')]
  expect(new Replica({ ops: [root, ...alike] }).root?.name).toBe('two')
})

test('keys and vertex ids that contain "@" are not confused', () => {
  const ops = [root, move(2, '1', 'c', 'root'), move(3, '1', 'b@c', 'root')]
  const tree = new Replica({ ops: [...ops, set(4, '1', 'c', 'a@b', 'one'), set(5, '1', 'b@c', 'a', 'two')] })
  expect(tree.getVertexProperty('c', 'a@b')).toBe('one')
  expect(tree.getVertexProperty('b@c', 'a')).toBe('two')
})

test('a merge with a malformed operation throws an error that names it, and changes nothing', () => {
  const malformed: unknown[] = [
    null,
    { targetId: 'a', parentId: 'root' },
    { id: { counter: 1.5, peerId: '1' }, targetId: 'a', parentId: 'root' },
    { id: { counter: '2', peerId: '1' }, targetId: 'a', parentId: 'root' },
    { id: { counter: 2n, peerId: '1' }, targetId: 'a', parentId: 'root' },
    { id: { counter: 2, peerId: 3 }, targetId: 'a', parentId: 'root' },
    { id: { counter: 2, peerId: '1' }, targetId: 'a' },
    { id: { counter: 2, peerId: '1' }, targetId: 'a', parentId: 'root', key: 'name' },
    { id: { counter: 2, peerId: '1' }, targetId: 'a', key: 'name', value: () => 1 },
  ]
  const tree = new Replica({ ops: [root] })
  const before = tree.digest()
  for (const op of malformed) {
    expect(() => tree.merge([move(9, '1', 'a', 'root'), op as VertexOperation])).toThrow(TypeError)
  }
  expect(() => tree.merge([{ id: { counter: 2, peerId: '77' }, targetId: 'a' } as never])).toThrow(
    /"peerId":"77"/,
  )
  expect(tree.digest()).toBe(before)
  expect(tree.getAllOps()).toEqual([root])
})

test('of two operations with one id, the first stays', () => {
  const tree = new Replica({
    ops: [root, set(2, '1', 'root', 'name', 'first'), set(2, '1', 'root', 'name', 'second')],
  })
  tree.merge([set(2, '1', 'root', 'name', 'third')])
  expect(tree.root?.name).toBe('first')
  expect(tree.getAllOps()).toHaveLength(2)
})

test('state vectors and missing operations include operations without effect and those that wait', () => {
  const ops = [
    root,
    set(2, '1', 'root', 'a', 'x'),
    set(5, '2', 'root', 'a', 'y'),
    set(3, '1', 'root', 'a', 'z'),
  ]
  const tree = new Replica({ ops: [...ops, move(9, '2', 'a', 'unknown')] })
  expect(tree.getStateVector()).toEqual({
    '1': [[1, 3]],
    '2': [
      [5, 5],
      [9, 9],
    ],
  })
  expect(tree.getMissingOps({ '1': [[1, 2]], '2': [[9, 9]] }).map((op) => op.id.counter)).toEqual([3, 5])
})

test('a disposed replica can be read, and refuses edits and merges', () => {
  const tree = Replica.create('root')
  const child = tree.newVertex('root')
  tree[Symbol.dispose]()
  expect(tree.root?.children.map(({ id }) => id)).toEqual([child.id])
  const edits = [
    () => tree.newVertex('root'),
    () => child.delete(),
    () => child.setProperty('name', 'x'),
    () => child.setTransientProperty('name', 'x'),
    () => tree.showTransient('root', 'name', 'x'),
    () => tree.merge([root]),
  ]
  for (const edit of edits) expect(edit).toThrow('disposed')
})

test('replicas without a given peer id get different ones', () => {
  const [one, other] = [new Replica({ ops: [root] }), new Replica({ ops: [root] })]
  expect(one.peerId).toMatch(/^\d{30}$/)
  expect(one.peerId).not.toBe(other.peerId)
})

test('operations that come after a listener has left wait for the next listener', () => {
  const tree = Replica.create('root')
  const heard: number[] = []
  const stop = tree.onLocalOp((op) => {
    heard.push(op.id.counter)
    queueMicrotask(() => stop())
  })
  expect(heard).toEqual([1, 2, 3, 4])
  const leaving = Replica.create('root')
  const taken: number[] = []
  // Its edit adds two operations during the delivery, so that it can leave before the last.
  leaving.popLocalOps()
  const stopBoth = [
    leaving.onLocalOp((op) => {
      taken.push(op.id.counter)
      if (taken.length === 1) leaving.setVertexProperties('root', { a: 1, b: 2 })
      else for (const stopOne of stopBoth) stopOne()
    }),
  ]
  leaving.setVertexProperty('root', 'name', 'x')
  expect(taken).toEqual([5, 6])
  expect(leaving.popLocalOps().map((op) => op.id.counter)).toEqual([7])
})

test('vertices can be created without crypto.randomUUID, as on a page over plain http', () => {
  Object.defineProperty(crypto, 'randomUUID', { value: undefined, configurable: true })
  try {
    const tree = Replica.create('root')
    const child = tree.root?.newChild({ text: 'hello' })
    expect(child?.id).toMatch(/^[0-9a-f]{32}$/)
    tree.dispose()
  } finally {
    Reflect.deleteProperty(crypto, 'randomUUID')
  }
})

test('[DV1] differencesFrom lists the vertices that differ in properties or place, or that one replica lacks', () => {
  const tree = Replica.create('root')
  const [first, second, third] = ['first', 'second', 'third'].map((name) => tree.root!.newNamedChild(name))
  const copy = new Replica({ treeId: 'root', ops: tree.getAllOps() })
  expect(tree.differencesFrom(copy)).toEqual([])
  copy.getVertex(first!.id)?.setProperty('done', true)
  copy.showTransient(second!.id, 'text', 'in passing')
  expect(tree.differencesFrom(copy)).toEqual([first!.id])
  third!.moveTo(first!)
  const made = second!.newNamedChild('made')
  expect(tree.differencesFrom(copy).toSorted()).toEqual([first!.id, third!.id, made.id].toSorted())
  copy.merge(tree.getAllOps())
  tree.merge(copy.getAllOps())
  expect(tree.differencesFrom(copy)).toEqual([])
  expect(tree.digest()).toBe(copy.digest())
})

test('a replica says which move put a vertex where it is, and not one that had no effect', () => {
  const tree = new Replica({ treeId: 'root', ops: [root] })
  expect(tree.placerOf('a')).toBeUndefined()
  tree.merge([move(2, '1', 'a', 'root'), move(3, '1', 'b', 'root'), move(4, '2', 'b', 'a')])
  expect(tree.placerOf('b')).toEqual({ counter: 4, peerId: '2' })
  // Under itself, and earlier than where it is.
  tree.merge([move(5, '3', 'a', 'b'), move(2, '3', 'b', 'root')])
  expect(tree.placerOf('a')).toEqual({ counter: 2, peerId: '1' })
  expect(tree.placerOf('b')).toEqual({ counter: 4, peerId: '2' })
})
