import { randomHexId, randomPeerId } from '@t69/protocol'
import type { VertexOperation } from 'reptree'

import { Replica } from '../src/replica.ts'

/** Measures the memory that a tree of messages takes: chains of fifty, six operations each. */

const count = Number(process.argv[2] ?? 400_000)
const { gc } = globalThis
if (gc === undefined) throw new Error('Run it with --expose-gc')
const collect = gc

const peerId = randomPeerId()
const treeId = randomHexId()
let counter = 0
const nextId = () => ({ counter: ++counter, peerId })
const ops: VertexOperation[] = [
  { id: nextId(), targetId: '0', parentId: null },
  { id: nextId(), targetId: treeId, parentId: null },
]
for (let message = 1, parentId = treeId; ops.length < count; message++) {
  const targetId = randomHexId()
  ops.push({ id: nextId(), targetId, parentId })
  const properties = {
    _c: '2026-01-01T00:00:00.000Z',
    name: 'message',
    createdAt: message,
    role: 'user',
    text: `A message of some forty characters: ${message}`,
  }
  for (const [key, value] of Object.entries(properties))
    ops.push({ id: nextId(), targetId, key, value, transient: false })
  parentId = message % 50 === 0 ? treeId : targetId
}

function heldMiB(): number {
  return Math.round(process.memoryUsage().heapUsed / 2 ** 20)
}

collect()
const before = heldMiB()
const replica = new Replica({ treeId, ops })
const peak = heldMiB()
collect()
console.table({
  operations: count,
  'the operations, MiB': before,
  'with the tree, MiB': heldMiB(),
  'peak, MiB': peak,
})
replica.dispose()
