import { RepTree } from 'reptree'
import { expect, test } from 'vitest'

import { internalsOf, type RepTreeInternals } from './rep-tree-internals.ts'
import { ReplicaState } from './replica-state.ts'
import { Replica } from './replica.ts'

const kinds: Record<keyof RepTreeInternals, string> = {
  lamportClock: 'number',
  state: 'object',
  localOps: 'array',
  opAppliedCallbacks: 'array',
  moveOps: 'array',
  setPropertyOps: 'array',
  knownOps: 'Set',
  propertiesAndTheirOpIds: 'Map',
  parentIdBeforeMove: 'Map',
  applyMove: 'function',
  newVertexInternalWithUUID: 'function',
  applyProperty: 'function',
  newVertexInternal: 'function',
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (value instanceof Set) return 'Set'
  return value instanceof Map ? 'Map' : typeof value
}

test('the pinned RepTree has the internals that the replica replaces', () => {
  const tree = new RepTree('1')
  const internals = internalsOf(tree)
  internals.state.dispose()
  const found = Object.fromEntries(
    Object.keys(kinds).map((name) => [name, kindOf(Reflect.get(internals, name))]),
  )
  expect(found).toEqual(kinds)
})

test('RepTree calls no method of its state that the replica does not answer', () => {
  const asked = new Set(Array.from(String(RepTree).matchAll(/\.state\.(\w+)/g), ([, name]) => name))
  // Called by `applyMove` and `applyProperty`, which the replica replaces, and by functions that only these call.
  const replaced = ['moveVertex', 'setProperty', 'setTransientProperty']
  expect(asked).toEqual(
    new Set([
      'addChangeCallback',
      'addGlobalChangeCallback',
      'getAllVertices',
      'getChildren',
      'getChildrenIds',
      'getVertex',
      'moveVertex',
      'printTree',
      'removeChangeCallback',
      'removeGlobalChangeCallback',
      'setProperty',
      'setTransientProperty',
    ]),
  )
  const answered = Object.getOwnPropertyNames(ReplicaState.prototype)
  expect([...asked].filter((name) => !replaced.includes(name!) && !answered.includes(name!))).toEqual([])
})

test('RepTree makes vertices only in methods that the replica overrides', () => {
  const methods = Object.entries(Object.getOwnPropertyDescriptors(RepTree.prototype))
  const making = methods.filter(([, parts]) =>
    Object.values(parts).some((part) => String(part).includes('new Vertex(')),
  )
  expect(making.length).toBeGreaterThan(0)
  const overridden = Object.getOwnPropertyNames(Replica.prototype)
  expect(making.map(([name]) => name).filter((name) => !overridden.includes(name))).toEqual([])
})

test('RepTree does not write to the internals that the replica no longer uses', () => {
  const tree = Replica.create('root')
  tree.newNamedVertex('root', 'a', { k: 1 }).setTransientProperty('k', 2)
  tree.merge([{ id: { counter: 99, peerId: '1' }, targetId: 'x', parentId: 'root' }])
  tree.commitTransients(tree.getVertexByPath('a')!.id)
  const { moveOps, setPropertyOps, knownOps, propertiesAndTheirOpIds, parentIdBeforeMove } = internalsOf(tree)
  expect([moveOps, setPropertyOps].map((list) => list.length)).toEqual([0, 0])
  expect([knownOps, propertiesAndTheirOpIds, parentIdBeforeMove].map((held) => held.size)).toEqual([0, 0, 0])
})
