import { z } from 'zod'

import { limits } from './limits.ts'

export type JsonPrimitive = string | number | boolean | null
export type JsonValue = JsonPrimitive | JsonValue[] | { [key: string]: JsonValue }

/**
 * Why `value` cannot be a property's value, or undefined when it can. It must come back from JSON as
 * it was, so NaN, infinities, -0 and `undefined` inside are refused, as are `toJSON`, class instances,
 * cycles and sparse arrays. Walks with a stack of its own: nesting costs no call frames.
 */
export function jsonValueProblem(value: unknown): string | undefined {
  const stack: { value: unknown; depth: number }[] = [{ value, depth: 0 }]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { value: item, depth } = next
    switch (typeof item) {
      case 'string':
        if (!item.isWellFormed()) return 'a string holds half a surrogate pair'
        continue
      case 'boolean':
        continue
      case 'number':
        if (!Number.isFinite(item)) return `${item} is not JSON`
        if (Object.is(item, -0)) return '-0 is not JSON'
        continue
      case 'object':
        break
      default:
        return `a ${typeof item} is not JSON`
    }
    if (item === null) continue
    if (depth >= limits.maxValueDepth) return `nested deeper than ${limits.maxValueDepth}`
    if (Array.isArray(item)) {
      for (let index = 0; index < item.length; index++) stack.push({ value: item[index], depth: depth + 1 })
      continue
    }
    const prototype: unknown = Object.getPrototypeOf(item)
    if (prototype !== Object.prototype && prototype !== null) return 'only plain objects are JSON'
    for (const [key, child] of Object.entries(item)) {
      if (key === '__proto__') return 'an object has the key "__proto__"'
      if (!key.isWellFormed()) return 'a key holds half a surrogate pair'
      stack.push({ value: child, depth: depth + 1 })
    }
  }
  return undefined
}

export const jsonValueSchema: z.ZodType<JsonValue> = z.custom<JsonValue>().superRefine((value, context) => {
  const problem = jsonValueProblem(value) ?? sizeProblem(value)
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
})

function sizeProblem(value: JsonValue): string | undefined {
  const bytes = utf8Length(JSON.stringify(value))
  return bytes > limits.maxValueBytes
    ? `${bytes} bytes of JSON, more than ${limits.maxValueBytes}`
    : undefined
}

/** How many bytes `text` takes in UTF-8, without encoding it. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) continue
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2
  }
  return bytes
}
