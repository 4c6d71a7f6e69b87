import { jsonValueProblem, keyProblem, limits, nullVertexId, utf8Length, type JsonValue } from '@t69/protocol'
import type { RepTree } from 'reptree'

/**
 * Checks of local edits, made before there is an operation. The server accepts every edit that passes, and every
 * replica reads it back as it was written.
 */

export type Properties = Record<string, JsonValue | undefined> | object

/** Throws a `TypeError` if `key` cannot name a property. */
export function checkKey(key: string): void {
  const problem = keyProblem(key)
  if (problem !== undefined) throw new TypeError(`Property key ${JSON.stringify(key)}: ${problem}`)
}

/** Throws if a vertex cannot move under a parent. Both exist. */
export function checkMove(tree: RepTree, vertexId: string, parentId: string): void {
  if (vertexId === nullVertexId) throw new Error('The null vertex does not move')
  if (tree.getVertex(vertexId)?.parentId === null) throw new Error('The root does not move')
  if (vertexId === parentId || tree.isAncestor(parentId, vertexId)) {
    throw new Error(`Vertex ${vertexId} cannot move below itself`)
  }
}

/** `jsonCopy` of each property. Throws a `TypeError` if a key or a value is invalid. */
export function jsonCopies(props: Properties): Record<string, JsonValue | undefined> {
  const copies: [string, JsonValue | undefined][] = []
  for (const [key, value] of Object.entries(props)) {
    checkKey(key)
    copies.push([key, jsonCopy(key, value)])
  }
  return Object.fromEntries(copies)
}

/**
 * The value as other replicas will read it, with 0 for -0. It is a copy, so a later change of the caller's object
 * does not reach the tree. Throws a `TypeError` if JSON would change anything else.
 */
export function jsonCopy(key: string, value: unknown): JsonValue | undefined {
  if (value === undefined) return undefined
  const copy = copyOf(value, 0)
  const problem = jsonValueProblem(copy)
  if (problem !== undefined) throw new TypeError(`Value of property ${JSON.stringify(key)}: ${problem}`)
  // `jsonValueProblem` has refused everything that is not JSON.
  const json = copy as JsonValue
  const bytes = sizeOf(json)
  if (bytes > limits.maxValueBytes) {
    throw new TypeError(
      `Value of property ${JSON.stringify(key)}: ${bytes} bytes of JSON, more than ${limits.maxValueBytes}`,
    )
  }
  return json
}

function copyOf(value: unknown, depth: number): unknown {
  if (value === 0) return 0
  if (typeof value !== 'object' || value === null || depth > limits.maxValueDepth) return value
  if (Array.isArray(value)) return Array.from(value, (item: unknown) => copyOf(item, depth + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyOf(item, depth + 1)]))
}

/** The size of a value as JSON, in bytes of UTF-8, or 0 if it is clearly within the limit. */
function sizeOf(value: JsonValue): number {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return 0
  // A code unit takes at most six bytes in JSON.
  if (typeof value === 'string' && value.length * 6 + 2 <= limits.maxValueBytes) return 0
  return utf8Length(JSON.stringify(value))
}
