import * as fc from 'fast-check'
import type { JsonValue, VertexOperation } from 'reptree'

const vertexIds = ['0', 'r', 'a', 'b', 'c', 'd', 'e']
// Danish sorts "aa" after "z", and Welsh and Czech have digraphs. The others differ only in case, or in a character that
// `localeCompare` ignores.
const peerIds = ['aa', 'ab', 'z', 'ch', 'cz', 'x', 'x\u200d', 'X']

const values: (JsonValue | undefined)[] = [
  1,
  'x',
  null,
  true,
  undefined,
  {},
  [],
  { a: [1, { b: null }] },
  '2026-01-01T00:00:00Z',
  '2025-01-01T00:00:00.5+02:00',
]

/**
 * Any operations over a few vertices: backdated, cyclic, on unknown vertices, with no root or several, into and out of
 * the null vertex. Their ids are unique.
 */
export function anyHistory(maxLength = 40): fc.Arbitrary<VertexOperation[]> {
  const id = fc.record({ counter: fc.integer({ min: 1, max: 25 }), peerId: fc.constantFrom(...peerIds) })
  const vertexId = fc.constantFrom(...vertexIds)
  const move = fc.record({
    id,
    targetId: vertexId,
    parentId: fc.oneof({ arbitrary: vertexId, weight: 8 }, { arbitrary: fc.constant(null), weight: 1 }),
  })
  const property = fc.record({
    id,
    targetId: vertexId,
    key: fc.constantFrom('name', '_c', 'a@b', 'b'),
    value: fc.constantFrom(...values),
    transient: fc.constant(false),
  })
  return fc.uniqueArray(fc.oneof({ arbitrary: move, weight: 3 }, { arbitrary: property, weight: 1 }), {
    selector: (op) => `${op.id.counter}@${op.id.peerId}`,
    maxLength,
  })
}

/** A chain of a hundred vertices, like a chat, and moves within it before, during and after its creation. */
export function chainHistory(): fc.Arbitrary<VertexOperation[]> {
  const length = 100
  const chain = Array.from({ length }, (_, index): VertexOperation => ({
    id: { counter: 2 * index + 1, peerId: '1' },
    targetId: `v${index}`,
    parentId: index === 0 ? null : `v${index - 1}`,
  }))
  const vertexId = fc.nat(length).map((index) => (index === length ? '0' : `v${index}`))
  const move = fc.record({
    id: fc.record({ counter: fc.integer({ min: 1, max: 300 }), peerId: fc.constantFrom('2', '3') }),
    targetId: vertexId,
    parentId: vertexId,
  })
  const selector = (op: VertexOperation): string => `${op.id.counter}@${op.id.peerId}`
  return fc
    .uniqueArray(move, { selector, minLength: 10, maxLength: 100 })
    .map((moves) => [...chain, ...moves])
}

/** The operations in another order and in batches, some of them twice. */
export function deliveryOf(ops: readonly VertexOperation[]): fc.Arbitrary<VertexOperation[][]> {
  return fc
    .tuple(
      fc.shuffledSubarray([...ops], { minLength: ops.length, maxLength: ops.length }),
      fc.subarray([...ops]),
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }),
    )
    .map(([shuffled, repeated, sizes]) => {
      const all = [...shuffled, ...repeated]
      const batches: VertexOperation[][] = []
      for (let turn = 0; all.length > 0; turn++) batches.push(all.splice(0, sizes[turn % sizes.length]))
      return batches
    })
}
