/**
 * Compares Replica with RepTree on the histories that are hardest for them. Run from the root of the repository:
 *
 *   node --expose-gc --conditions=source packages/replica/bench/replica.ts [--bare]
 *
 * `--bare` measures RepTree too, which takes minutes. The figures of Replica are medians of three runs, those of RepTree
 * are of one run.
 */
import { RepTree, type VertexOperation } from 'reptree'

import { Replica } from '../src/replica.ts'

const withBare = process.argv.includes('--bare')

function property(
  counter: number,
  peerId: string,
  targetId: string,
  key: string,
  value: string,
): VertexOperation {
  return { id: { counter, peerId }, targetId, key, value, transient: false }
}

function move(counter: number, peerId: string, targetId: string, parentId: string | null): VertexOperation {
  return { id: { counter, peerId }, targetId, parentId }
}

const isoDate = '2026-01-01T00:00:00.000Z'

function base(): VertexOperation[] {
  return [
    move(1, '1', '0', null),
    property(2, '1', '0', '_c', isoDate),
    move(3, '1', 'root', null),
    property(4, '1', 'root', '_c', isoDate),
  ]
}

/** A chat: each message under the one before it, with five properties. */
function chat(messages: number): VertexOperation[] {
  const ops = base()
  let counter = 10
  for (let index = 0; index < messages; index++) {
    const id = `m${index}`
    ops.push(move(counter++, '1', id, index === 0 ? 'root' : `m${index - 1}`))
    for (const key of ['_c', 'name', 'createdAt', 'text', 'role']) {
      ops.push(property(counter++, '1', id, key, isoDate))
    }
  }
  return ops
}

/** Vertices under the root, each with its creation date. */
function flat(children: number): VertexOperation[] {
  const ops = base()
  for (let index = 0; index < children; index++) {
    ops.push(
      move(10 + 2 * index, '1', `v${index}`, 'root'),
      property(11 + 2 * index, '1', `v${index}`, '_c', isoDate),
    )
  }
  return ops
}

/** Random moves of a thousand vertices, with counters from `from` up. */
function moves(count: number, from: number, peerId: string, vertices = 1_000): VertexOperation[] {
  let seed = from
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % below
  }
  return Array.from({ length: count }, (_, index) => {
    const parent = random(vertices + 1)
    return move(from + index, peerId, `v${random(vertices)}`, parent === vertices ? 'root' : `v${parent}`)
  })
}

interface Tree {
  merge(ops: readonly VertexOperation[]): void
}

function median(run: () => number): number {
  return [run(), run(), run()].sort((a, b) => a - b)[1] ?? 0
}

function measure(name: string, before: VertexOperation[], after: VertexOperation[], bareToo: boolean): void {
  const timed = (make: () => Tree, middle: (run: () => number) => number): string => {
    const ms = middle(() => {
      const tree = make()
      tree.merge(before)
      globalThis.gc?.()
      const start = performance.now()
      tree.merge(after)
      return performance.now() - start
    })
    return `${ms.toFixed(2)} ms`
  }
  const replica = timed(() => new Replica(), median)
  const bare =
    withBare && bareToo
      ? timed(
          () => new RepTree('9'),
          (run) => run(),
        )
      : '-'
  console.log(`${name.padEnd(58)} ${replica.padStart(12)} ${bare.padStart(14)}`)
}

function heapAnOp(name: string, makeOps: () => VertexOperation[]): void {
  const ops = makeOps()
  const timed = (make: () => unknown): number => {
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    const tree = make()
    globalThis.gc?.()
    const bytes = (process.memoryUsage().heapUsed - before) / ops.length
    return tree === undefined ? 0 : bytes
  }
  const replica = timed(() => new Replica({ ops }))
  const bare = withBare ? timed(() => new RepTree('9', ops)) : 0
  console.log(
    `${name.padEnd(58)} ${`${replica.toFixed(0)} B/op`.padStart(12)} ${`${bare.toFixed(0)} B/op`.padStart(14)}`,
  )
}

console.log(''.padEnd(58), 'Replica'.padStart(12), 'RepTree'.padStart(14))
measure('chat of 4,150 messages, load', [], chat(4_150), true)
measure('chat of 16,600 messages, load', [], chat(16_600), true)
measure('chat of 16,600 messages, load in reverse', [], chat(16_600).toReversed(), false)
const late = [move(5_000, '2', 'late', 'm700'), property(5_001, '2', 'late', 'text', 'x')]
measure('one late message among 5,000', chat(5_000), late, true)
measure(
  'one late move of a leaf among 5,000 messages',
  [...chat(5_000), ...[late[0]].flatMap((op) => op ?? [])],
  [move(5_100, '2', 'late', 'm600')],
  true,
)
const older = moves(4_000, 10_000, '2')
const newer = moves(4_000, 20_000, '1')
// RepTree takes half a minute for one of these, and more than 4 GB of memory for another.
measure('4,000 late moves into 4,000 newer', [...flat(1_000), ...newer], older, false)
measure('all of these rebuilt from the sorted log', [], [...flat(1_000), ...older, ...newer], true)
measure('20,000 children of one vertex, load', [], flat(20_000), true)
measure('100,000 moves among 1,000 vertices, sorted', flat(1_000), moves(100_000, 10_000, '1'), true)
const deep = Array.from({ length: 2_000 }, (_, index) =>
  move(200_000 + index, '1', `m${5_000 + (index % 2)}`, `m${index % 2 === 0 ? 4_000 : 9_000}`),
)
measure('2,000 moves deep in a chat of 10,000', chat(10_000), deep, false)
measure(
  'one backdated move before these',
  [...chat(10_000), ...deep],
  [move(199_000, '2', 'm9999', 'm100')],
  false,
)
const oneByOne = new Replica({ ops: [...flat(1_000), ...newer] })
const startOneByOne = performance.now()
for (const op of older) oneByOne.merge([op])
const oneByOneMs = (performance.now() - startOneByOne).toFixed(0)
console.log(`4,000 late moves into 4,000 newer, one at a time: ${oneByOneMs} ms`)
heapAnOp('heap, chat of 16,600 messages', () => chat(16_600))
heapAnOp('heap, 20,000 children', () => flat(20_000))
const digested = new Replica({ ops: chat(16_600) })
const start = performance.now()
digested.digest()
console.log(`digest: ${(((performance.now() - start) * 1_000) / 99_600).toFixed(2)} µs/op`)
process.exit(0)
