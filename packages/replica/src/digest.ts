import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

import { canonicalJson } from './canonical-json.ts'
import type { VertexNode } from './vertex-node.ts'

/**
 * 32 hex digits over the vertices below `roots`, in order: ids, parents, order of children, properties.
 * Transient values are left out. Linear, and without recursion: chats are chains.
 */
export function digestOf(roots: readonly VertexNode[]): string {
  const hash = sha256.create()
  const encoder = new TextEncoder()
  let text = ''
  const stack = roots.toReversed()
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    text += `${JSON.stringify([node.id, node.parentId])}${propertiesText(node)}\n`
    if (text.length > 65_536) {
      hash.update(encoder.encode(text))
      text = ''
    }
    const children = node.orderedChildren()
    for (let index = children.length - 1; index >= 0; index--) {
      const child = children[index]
      if (child !== undefined) stack.push(child)
    }
  }
  hash.update(encoder.encode(text))
  return bytesToHex(hash.digest().subarray(0, 16))
}

function propertiesText(node: VertexNode): string {
  let text = ''
  for (const { key, value } of node.writers.toSorted((a, b) => (a.key < b.key ? -1 : 1))) {
    if (value !== undefined) text += `${JSON.stringify(key)}:${canonicalJson(value)},`
  }
  return text
}
