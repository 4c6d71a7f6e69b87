import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

import { canonicalJson } from './canonical-json.ts'
import type { VertexNode } from './vertex-node.ts'

/**
 * 32 hex digits over the vertices below `roots`, in order: ids, parents, order of children, properties.
 * Transient values are left out. Linear, and without recursion: chats are chains. Yields each millisecond or so.
 */
export function* digestSteps(roots: readonly VertexNode[]): Generator<undefined, string> {
  const hash = sha256.create()
  const encoder = new TextEncoder()
  let text = ''
  for (const node of depthFirst(roots)) {
    text += lineOf(node)
    if (text.length > 65_536) {
      hash.update(encoder.encode(text))
      text = ''
      yield
    }
  }
  hash.update(encoder.encode(text))
  return bytesToHex(hash.digest().subarray(0, 16))
}

/** What the digest says of each vertex by itself: its properties, its parent, and which of its children it is. */
export function vertexTexts(roots: readonly VertexNode[]): Map<string, string> {
  const texts = new Map<string, string>()
  const siblings = new Map<string | null, number>()
  for (const node of depthFirst(roots)) {
    const index = siblings.get(node.parentId) ?? 0
    siblings.set(node.parentId, index + 1)
    texts.set(node.id, `${index} ${lineOf(node)}`)
  }
  return texts
}

function* depthFirst(roots: readonly VertexNode[]): Generator<VertexNode> {
  const stack = roots.toReversed()
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    yield node
    const children = node.orderedChildren()
    for (let index = children.length - 1; index >= 0; index--) {
      const child = children[index]
      if (child !== undefined) stack.push(child)
    }
  }
}

function lineOf(node: VertexNode): string {
  let text = JSON.stringify([node.id, node.parentId])
  for (const { key, value } of node.writers.toSorted((a, b) => (a.key < b.key ? -1 : 1))) {
    if (value !== undefined) text += `${JSON.stringify(key)}:${canonicalJson(value)},`
  }
  return `${text}\n`
}
