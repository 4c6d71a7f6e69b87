import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { isMove, keyProblem, opKey, propertyKeySchema, treeOperationSchema } from './operation.ts'
import { batches } from './testing/arbitraries.ts'

test('[OP3] two operations have the same key exactly if their tree, clock and peer are the same', () => {
  fc.assert(
    fc.property(batches({ maxOps: 30 }), ({ ops }) => {
      for (const a of ops) {
        for (const b of ops) {
          const isSame = a.treeId === b.treeId && a.clock === b.clock && a.peerId === b.peerId
          expect(opKey(a) === opKey(b)).toBe(isSame)
        }
      }
    }),
    { numRuns: 30 },
  )
})

test('[OP1] an operation is a move exactly if it names a parent', () => {
  const base = { clock: 1, peerId: '1', treeId: 'tree', spaceId: 'a'.repeat(32), targetId: 'tree' }
  expect(isMove(treeOperationSchema.parse({ ...base, parentId: null }))).toBe(true)
  expect(isMove(treeOperationSchema.parse({ ...base, key: 'k', value: null }))).toBe(false)
  expect(isMove(treeOperationSchema.parse({ ...base, key: 'k' }))).toBe(false)
})

test('[OP6] the schema and the fast check of keys agree', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 130 }), (key) => {
      expect(propertyKeySchema.safeParse(key).success).toBe(keyProblem(key) === undefined)
    }),
    { numRuns: 1_000 },
  )
})

test('[OP6] a key with a control, format or space character is refused, except for the plain space', () => {
  // By the classes of this engine's Unicode. The few formats that are visible signs of a script are accepted.
  const visibleFormats = /[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}\u{13430}-\u{1343f}]/u
  const taken: string[] = []
  for (let codePoint = 0; codePoint <= 0x10ffff; codePoint++) {
    const character = String.fromCodePoint(codePoint)
    if (!/[\p{Cc}\p{Cf}\p{Z}\p{Cs}\p{Co}]/u.test(character) || visibleFormats.test(character)) continue
    if (character !== ' ' && keyProblem(`a${character}b`) === undefined) taken.push(codePoint.toString(16))
  }
  expect(taken).toEqual([])
})
