import { jsonValueProblem, limits, propertyKeySchema, utf8Length, type JsonValue } from '@t69/protocol'

/**
 * Checks of local edits. What they let through, the server accepts, and every replica reads back as it was
 * written; what they refuse, they refuse before there is an operation.
 */

const maxRemembered = 1_000
const goodKeys = new Set<string>()

/** Throws a TypeError when `key` cannot name a property. Keys are few and come often, so good ones are remembered. */
export function checkKey(key: string): void {
  if (goodKeys.has(key)) return
  const result = propertyKeySchema.safeParse(key)
  if (!result.success) {
    const reason = result.error.issues.map((issue) => issue.message).join(', ')
    throw new TypeError(`Property key ${JSON.stringify(key)}: ${reason}`)
  }
  if (goodKeys.size === maxRemembered) goodKeys.clear()
  goodKeys.add(key)
}

/**
 * The value as other replicas will read it: a copy, so that a later change of the caller's object is not
 * half an edit, with 0 for -0. Throws a TypeError when JSON would change anything else.
 */
export function jsonCopy(key: string, value: unknown): JsonValue | undefined {
  if (value === undefined) return undefined
  const copy = copyOf(value, 0)
  const problem = jsonValueProblem(copy)
  if (problem !== undefined) throw new TypeError(`Value of property ${JSON.stringify(key)}: ${problem}`)
  // Nothing but JSON is left.
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

function sizeOf(value: JsonValue): number {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return 0
  // No code unit takes more than six bytes in JSON.
  if (typeof value === 'string' && value.length * 6 + 2 <= limits.maxValueBytes) return 0
  return utf8Length(JSON.stringify(value))
}
