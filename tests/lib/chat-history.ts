import {
  limits,
  peerIdSchema,
  treeIdSchema,
  vertexIdSchema,
  type JsonValue,
  type PeerId,
  type SpaceId,
  type TreeId,
  type TreeOperation,
  type VertexId,
} from '@t69/protocol'

import { createRandom, type Random } from './random.ts'

export interface ChatHistory {
  readonly treeIds: readonly TreeId[]
  /** The tree that has a fifth of all operations. */
  readonly longest: TreeId
  /** The operations of each tree, by clock. The space's own tree comes first. */
  readonly trees: ReadonlyMap<TreeId, readonly TreeOperation[]>
  readonly count: number
}

const opsPerMessage = 5
const words = 'and then we said that it could be the other way round as well if nobody minds too much'.split(
  ' ',
)

/**
 * Generates a space after years of chatting: `count` operations written on three devices, a fifth of them in one long
 * chat and the others in chats of some hundred messages, with `large` values near the limit.
 */
export function createChatHistory(
  spaceId: SpaceId,
  { count, large, seed }: { readonly count: number; readonly large: number; readonly seed: number },
): ChatHistory {
  const random = createRandom(seed)
  const peers = Array.from({ length: 3 }, () => peerOf(random))
  const rootId = treeIdSchema.parse(spaceId)
  const space = createTree(spaceId, rootId, random, peers)
  const trees = new Map<TreeId, readonly TreeOperation[]>([[rootId, space.ops]])
  let left = count - space.ops.length
  let largeLeft = large
  let longest = rootId
  while (left > 0) {
    const treeId = treeIdSchema.parse(idOf(random))
    const named = space.add(rootId, { _n: `Chat ${trees.size}`, treeId })
    left -= named
    if (trees.size === 1) longest = treeId
    const chat = createTree(spaceId, treeId, random, peers)
    const wanted = Math.min(left, treeId === longest ? count / 5 : 500 + random.below(3_000))
    while (chat.ops.length < wanted) {
      const isLarge = largeLeft > 0 && random.chance((2 * large * opsPerMessage) / count)
      if (isLarge) largeLeft--
      const text = isLarge
        ? textOf(random, limits.maxValueBytes - 2 - random.below(100_000))
        : textOf(random, 20 + random.below(400))
      chat.add(treeId, {
        role: random.chance(0.5) ? 'user' : 'assistant',
        text,
        _c: 1_700_000_000_000 + left,
        n: left,
      })
    }
    trees.set(treeId, chat.ops)
    left -= chat.ops.length
  }
  let total = 0
  for (const ops of trees.values()) total += ops.length
  return { treeIds: [...trees.keys()], longest, trees, count: total }
}

function createTree(spaceId: SpaceId, treeId: TreeId, random: Random, peers: readonly PeerId[]) {
  const ops: TreeOperation[] = []
  let clock = 0
  let peerId = random.pick(peers)
  const base = (targetId: VertexId) => ({ clock: ++clock, peerId, treeId, spaceId, targetId })
  ops.push({ ...base(vertexIdSchema.parse(treeId)), parentId: null })
  return {
    ops,
    /** Adds a vertex with properties. Returns the number of operations. */
    add(parent: TreeId, properties: Readonly<Record<string, JsonValue>>): number {
      // People mostly continue to write on the same device.
      if (random.chance(0.1)) peerId = random.pick(peers)
      const before = ops.length
      const vertex = vertexIdSchema.parse(idOf(random))
      ops.push({ ...base(vertex), parentId: vertexIdSchema.parse(parent) })
      for (const [key, value] of Object.entries(properties)) ops.push({ ...base(vertex), key, value })
      return ops.length - before
    },
  }
}

/** A text of `length` ASCII characters, and so bytes. */
function textOf(random: Random, length: number): string {
  let text = random.pick(words)
  while (text.length < length) text += ` ${random.pick(words)}`
  return text.slice(0, length)
}

const digitsOf = (random: Random, length: number, radix: number): string =>
  Array.from({ length }, () => random.below(radix).toString(radix)).join('')
const idOf = (random: Random): string => digitsOf(random, 32, 16)
const peerOf = (random: Random): PeerId => peerIdSchema.parse(digitsOf(random, 30, 10))
