import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { jsonSizeProblem, jsonValueProblem, jsonValueSchema, utf8Length } from './json-value.ts'
import { limits } from './limits.ts'
import { jsonValues } from './testing/arbitraries.ts'

test('[OP7] JSON gives every accepted value back unchanged', () => {
  const anything = fc.anything({
    withDate: true,
    withMap: true,
    withSparseArray: true,
    withNullPrototype: true,
  })
  fc.assert(
    fc.property(anything, (value) => {
      fc.pre(jsonValueProblem(value) === undefined)
      expect(JSON.parse(JSON.stringify(value))).toEqual(value)
    }),
    { numRuns: 1_000 },
  )
})

test('[OP7] values parsed from JSON are accepted', () => {
  fc.assert(
    fc.property(jsonValues, (value) => {
      expect(jsonValueSchema.safeParse(value).success).toBe(true)
    }),
  )
})

test('[OP7] a cycle is refused', () => {
  const cycle: unknown[] = []
  cycle.push(cycle)
  expect(jsonValueProblem(cycle)).toBe(`it is nested deeper than ${limits.maxValueDepth}`)
})

test('[OP7] objects that share their children are refused before every path is walked', () => {
  let shared: unknown = 1
  for (let level = 0; level < 60; level++) shared = [shared, shared]
  expect(jsonValueProblem(shared)).toBe(`it is more than ${limits.maxValueBytes} bytes of JSON`)
})

test('[OP7] the largest array is accepted, and one element more is refused', () => {
  // An array of n digits takes 2n + 1 bytes.
  const largest = Array.from({ length: limits.maxValueBytes / 2 - 1 }, () => 1)
  expect(jsonValueSchema.safeParse(largest).success).toBe(true)
  expect(jsonValueSchema.safeParse([...largest, 1]).success).toBe(false)
})

test('[OP7] an array with toJSON is refused', () => {
  expect(jsonValueProblem(Object.assign([1], { toJSON: () => 2 }))).toBe('an object with toJSON is not JSON')
})

test('[OP7] a plain object of another realm is accepted', () => {
  const foreignPrototype: unknown = Object.create(null)
  const foreign: unknown = Object.assign(Object.create(foreignPrototype as object) as object, { a: 1 })
  expect(jsonValueProblem(foreign)).toBeUndefined()
})

test('the length in UTF-8 is that of the encoded text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      fc.pre(text.isWellFormed())
      expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length)
    }),
  )
})

test('the size of a short text is measured in bytes, of which a code unit may take three', () => {
  expect(jsonSizeProblem('名名', 6)).toBeUndefined()
  expect(jsonSizeProblem('名名', 5)).toBe('it is 6 bytes of JSON, more than 5')
})
