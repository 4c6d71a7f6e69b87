import { expect, test } from 'vitest'

import { treeOperationSchema, type PropertyOperation, type TreeOperation } from './operation.ts'
import { hasSameContent } from './same-content.ts'

const base = { clock: 1, peerId: '1', treeId: 't', spaceId: 'a'.repeat(32), targetId: 'v' }
const set = (value: unknown): TreeOperation => treeOperationSchema.parse({ ...base, key: 'text', value })
const remove = treeOperationSchema.parse({ ...base, key: 'text' })
const move = (parentId: string | null): TreeOperation => treeOperationSchema.parse({ ...base, parentId })

test('[OP3] operations with equal content are the same, values by their JSON text', () => {
  expect(hasSameContent(set('a'), set('a'))).toBe(true)
  expect(hasSameContent(set({ a: [1, null] }), set({ a: [1, null] }))).toBe(true)
  expect(hasSameContent(remove, remove)).toBe(true)
  expect(hasSameContent(move('p'), move('p'))).toBe(true)
})

test.each([
  ['another value', set('a'), set('b')],
  ['another type of value', set(1), set('1')],
  ['another order of keys', set({ a: 1, b: 2 }), set({ b: 2, a: 1 })],
  ['a removal for null', remove, set(null)],
  ['another parent', move('p'), move('q')],
  ['a move for a property', move('p'), remove],
])('[OP3] operations differ by %s', (_what, one, other) => {
  expect(hasSameContent(one, other)).toBe(false)
  expect(hasSameContent(other, one)).toBe(false)
})

test('[OP3] a value that is not JSON is the same as itself', () => {
  const odd = (): TreeOperation => ({ ...(set(0) as PropertyOperation), value: Number.NaN })
  expect(hasSameContent(odd(), odd())).toBe(true)
})
