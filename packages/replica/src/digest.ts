import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

import { canonicalJson } from './canonical-json.ts'
import type { VertexNode } from './vertex-node.ts'

/**
 * Computes 32 hex digits of `roots` and everything below them, depth first: ids, parents, order of children, stored
 * properties. Transient values are left out. Linear, and without recursion, since a chat is a chain of vertices.
 * Yields about once a millisecond.
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

/** The ids of all vertices that make the digests of two forests differ, in no particular order. */
export function differingVertices(roots: readonly VertexNode[], otherRoots: readonly VertexNode[]): string[] {
  const [texts, otherTexts] = [vertexTexts(roots), vertexTexts(otherRoots)]
  const ids = new Set([...texts.keys(), ...otherTexts.keys()])
  return Array.from(ids).filter((id) => texts.get(id) !== otherTexts.get(id))
}

/** What each vertex alone adds to the digest: its properties, its parent, and its position among its siblings. */
function vertexTexts(roots: readonly VertexNode[]): Map<string, string> {
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
