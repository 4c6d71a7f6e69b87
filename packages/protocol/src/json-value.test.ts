import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { jsonSizeProblem, jsonValueProblem, jsonValueSchema, utf8Length } from './json-value.ts'
import { limits } from './limits.ts'
import { jsonValues } from './testing/arbitraries.ts'

test('[OP7] every value that is taken comes back from JSON as it was', () => {
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

test('[OP7] values that came from JSON are taken', () => {
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

test('[OP7] objects that share their children are not walked once for each path', () => {
  let shared: unknown = 1
  for (let level = 0; level < 60; level++) shared = [shared, shared]
  expect(jsonValueProblem(shared)).toBe(`it is more than ${limits.maxValueBytes} bytes of JSON`)
})

test('[OP7] the largest array is taken', () => {
  // Two bytes an element, and a bracket too many.
  const largest = Array.from({ length: limits.maxValueBytes / 2 - 1 }, () => 1)
  expect(jsonValueSchema.safeParse(largest).success).toBe(true)
  expect(jsonValueSchema.safeParse([...largest, 1]).success).toBe(false)
})

test('[OP7] an array that hides its content behind toJSON is refused', () => {
  expect(jsonValueProblem(Object.assign([1], { toJSON: () => 2 }))).toBe('an object with toJSON is not JSON')
})

test('[OP7] a plain object of another realm is taken', () => {
  const foreignPrototype: unknown = Object.create(null)
  const foreign: unknown = Object.assign(Object.create(foreignPrototype as object) as object, { a: 1 })
  expect(jsonValueProblem(foreign)).toBeUndefined()
})

test('the length in UTF-8 is counted as it would be encoded', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      fc.pre(text.isWellFormed())
      expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length)
    }),
  )
})

test('a text of few code units is measured where it takes three bytes each', () => {
  expect(jsonSizeProblem('名名', 6)).toBeUndefined()
  expect(jsonSizeProblem('名名', 5)).toBe('it is 6 bytes of JSON, more than 5')
})
