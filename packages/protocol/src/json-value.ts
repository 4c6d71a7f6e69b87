import { z } from 'zod'

import { limits } from './limits.ts'

export type JsonPrimitive = string | number | boolean | null
export type JsonValue = JsonPrimitive | JsonValue[] | { [key: string]: JsonValue }

/**
 * Why `value` cannot be a property's value, or undefined if it can. JSON must give it back unchanged, so NaN,
 * infinities, -0 and nested `undefined` are refused, and so are `toJSON`, class instances, cycles and sparse arrays.
 * `jsonSizeProblem` checks the size. Walks with an explicit stack, so that deep nesting does not overflow the calls.
 */
export function jsonValueProblem(value: unknown): string | undefined {
  if (typeof value !== 'object') return primitiveProblem(value)
  if (value === null) return undefined
  const containers: object[] = [value]
  const depths = [1]
  let visited = 0
  for (let item = containers.pop(); item !== undefined; item = containers.pop()) {
    const depth = depths.pop() ?? 0
    if (depth > limits.maxValueDepth) return `it is nested deeper than ${limits.maxValueDepth}`
    const problem = containerProblem(item)
    if (problem !== undefined) return problem
    const children: unknown[] = Array.isArray(item) ? item : Object.values(item)
    // Each child takes at least two bytes of text. Without this bound, objects that share their children would be
    // walked once for each path to them, which can take forever.
    visited += children.length
    if (visited * 2 > limits.maxValueBytes) return `it is more than ${limits.maxValueBytes} bytes of JSON`
    for (let index = 0; index < children.length; index++) {
      const child = children[index]
      if (typeof child === 'object' && child !== null) {
        containers.push(child)
        depths.push(depth + 1)
        continue
      }
      const problem = primitiveProblem(child)
      if (problem !== undefined) return problem
    }
  }
  return undefined
}

function primitiveProblem(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? undefined : 'a string holds half a surrogate pair'
    case 'boolean':
      return undefined
    case 'number':
      if (!Number.isFinite(value)) return `${value} is not JSON`
      return Object.is(value, -0) ? '-0 is not JSON' : undefined
    case 'object':
      return undefined
    default:
      return `a value of type ${typeof value} is not JSON`
  }
}

function containerProblem(item: object): string | undefined {
  if ('toJSON' in item && typeof item.toJSON === 'function') return 'an object with toJSON is not JSON'
  if (Array.isArray(item)) return undefined
  const prototype: unknown = Object.getPrototypeOf(item)
  // A plain object of another realm (a frame, a vm context) has that realm's Object.prototype.
  if (prototype !== Object.prototype && prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    return 'only plain objects and arrays are JSON'
  }
  for (const key of Object.keys(item)) {
    if (key === '__proto__') return 'an object has the key "__proto__"'
    if (!key.isWellFormed()) return 'a key holds half a surrogate pair'
  }
  return undefined
}

/** Why the JSON text of a value is too long, or undefined if it is not. */
export function jsonSizeProblem(text: string, maxBytes: number = limits.maxValueBytes): string | undefined {
  // A code unit takes at most three bytes.
  if (text.length * 3 <= maxBytes) return undefined
  const bytes = utf8Length(text)
  return bytes > maxBytes ? `it is ${bytes} bytes of JSON, more than ${maxBytes}` : undefined
}

function jsonValueWithin(maxBytes: number): z.ZodType<JsonValue> {
  return z.custom<JsonValue>().superRefine((value, context) => {
    const problem = jsonValueProblem(value) ?? jsonSizeProblem(JSON.stringify(value), maxBytes)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  })
}

/** A property's value. */
export const jsonValueSchema = jsonValueWithin(limits.maxValueBytes)

/** A presence state, or the value of a transient change. */
export const transientValueSchema = jsonValueWithin(limits.maxTransientBytes)

/** The length of `text` in UTF-8, in bytes, without encoding it. Lone surrogates count as two bytes, not three. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) continue
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2
  }
  return bytes
}
