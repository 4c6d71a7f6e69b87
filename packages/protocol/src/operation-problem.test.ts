import * as fc from 'fast-check'
import { expect, test, vi } from 'vitest'

import { limits } from './limits.ts'
import { operationProblem } from './operation-problem.ts'
import { treeOperationSchema, type TreeOperation } from './operation.ts'
import { batches } from './testing/arbitraries.ts'

/** What the fast check and the schema say, if they agree. The cast lets in what plain JavaScript could pass. */
function verdictOn(op: object): 'taken' | 'refused' | 'disagreement' {
  const isTaken = operationProblem(op as TreeOperation) === undefined
  if (isTaken !== treeOperationSchema.safeParse(op).success) return 'disagreement'
  return isTaken ? 'taken' : 'refused'
}

const operations = batches({ maxOps: 5 })
  .map(({ ops }) => ops)
  .filter((ops) => ops.length > 0)

const oddities: fc.Arbitrary<unknown> = fc.oneof(
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withSparseArray: true,
  }),
  fc.constantFrom<unknown>(
    undefined,
    null,
    '',
    '0',
    0,
    -0,
    1.5,
    2 ** 53,
    Infinity,
    '1',
    '__proto__',
    'a'.repeat(65),
    'A'.repeat(32),
    'k@v',
    'zero\u200bwidth',
    '\ud800',
    'x'.repeat(129),
    { toJSON: () => 1 },
    new Date(0),
    [undefined],
    { deep: [{ value: -0 }] },
  ),
  fc.string({ unit: 'binary', maxLength: 130 }),
)

const fields = fc.constantFrom(
  'clock',
  'peerId',
  'treeId',
  'spaceId',
  'targetId',
  'parentId',
  'key',
  'value',
  'transient',
)

test('[BA15] the fast check and the schema accept every generated operation', () => {
  fc.assert(
    fc.property(operations, (ops) => {
      expect(ops.map(verdictOn)).toEqual(ops.map(() => 'taken'))
    }),
    { numRuns: 300 },
  )
})

test('[BA15] [OP1] the fast check and the schema agree if a field is changed, added or missing', () => {
  const seen = { taken: 0, refused: 0 }
  fc.assert(
    fc.property(operations, fields, fc.boolean(), oddities, (ops, field, isRemoved, oddity) => {
      const op: Record<string, unknown> = { ...ops[0] }
      if (isRemoved) Reflect.deleteProperty(op, field)
      else op[field] = oddity
      const verdict = verdictOn(op)
      expect(verdict).not.toBe('disagreement')
      if (verdict !== 'disagreement') seen[verdict]++
    }),
    { numRuns: 5_000 },
  )
  expect(seen.taken).toBeGreaterThan(100)
  expect(seen.refused).toBeGreaterThan(1_000)
})

const hex = (digit: string) => digit.repeat(32)
const base = { clock: 1, peerId: '1', treeId: 'tree', spaceId: hex('a'), targetId: 'vertex' }
const move = { ...base, parentId: 'tree' }
const property = { ...base, key: 'text', value: 'a' }

test.each<[string, object]>([
  ['[OP1] a move', move],
  ['[OP1] a property', property],
  ['[OP2] the smallest clock', { ...move, clock: 1 }],
  ['[OP2] the largest clock', { ...move, clock: 2 ** 53 - 1 }],
  ['[OP4] a move of the root without a parent', { ...base, targetId: 'tree', parentId: null }],
  ['[OP4] [ID3] a move of the null vertex without a parent', { ...base, targetId: '0', parentId: null }],
  ['[OP4] [ID3] a deletion', { ...base, parentId: '0' }],
  ['[OP5] a removal', { ...base, key: 'text' }],
  ['[OP5] a removal with an undefined value', { ...base, key: 'text', value: undefined }],
  ['[OP5] the value null', { ...base, key: 'text', value: null }],
  ['[OP6] a key of letters, marks and symbols', { ...property, key: 'Größe नमस्ते 😀️ №1' }],
  ['[OP6] the longest key', { ...property, key: 'k'.repeat(128) }],
  ['[OP7] the deepest value', { ...property, value: JSON.parse('['.repeat(64) + ']'.repeat(64)) }],
  ['[OP7] the largest value', { ...property, value: 'x'.repeat(limits.maxValueBytes - 2) }],
  ['[ID1] a UUID', { ...move, spaceId: '00010203-0405-0607-0809-0a0b0c0d0e0f' }],
  ['[ID2] the longest id', { ...move, peerId: 'p'.repeat(64) }],
])('%s is accepted', (_, op) => {
  expect(verdictOn(op)).toBe('taken')
})

test.each<[string, object]>([
  ['[OP8] [OP1] a transient change', { ...move, transient: false }],
  ['[OP1] an operation with both parent and key', { ...move, key: 'text' }],
  ['[OP1] an operation with neither parent nor key', base],
  ['[OP1] a value without a key', { ...base, value: 1 }],
  ['[OP2] clock 0', { ...move, clock: 0 }],
  ['[OP2] a clock beyond the safe integers', { ...move, clock: 2 ** 53 }],
  ['[OP2] a clock with a fraction', { ...move, clock: 1.5 }],
  ['[OP2] a clock as text', { ...move, clock: '1' }],
  ['[OP4] a second root', { ...base, parentId: null }],
  ['[OP4] a moved root', { ...base, targetId: 'tree', parentId: 'vertex' }],
  ['[OP4] a moved null vertex', { ...base, targetId: '0', parentId: 'tree' }],
  ['[OP4] a vertex under itself', { ...base, parentId: 'vertex' }],
  ['[OP6] an empty key', { ...property, key: '' }],
  ['[OP6] a key too long', { ...property, key: 'k'.repeat(129) }],
  ['[OP6] a key with "@"', { ...property, key: 'text@vertex' }],
  ['[OP6] an inherited key', { ...property, key: 'constructor' }],
  ...[
    '\0',
    '\n',
    '\u007f',
    '\u00a0',
    '\u00ad',
    '\u200d',
    '\u202e',
    '\u3000',
    '\ufeff',
    '\ue000',
    '\ud800',
    '\u{e0041}',
  ].map((character): [string, object] => [
    `[OP6] a key with U+${character.codePointAt(0)?.toString(16).padStart(4, '0')}`,
    { ...property, key: `a${character}b` },
  ]),
  ['[OP7] NaN', { ...property, value: Number.NaN }],
  ['[OP7] an infinity inside', { ...property, value: [Infinity] }],
  ['[OP7] -0', { ...property, value: { a: -0 } }],
  ['[OP7] undefined inside', { ...property, value: { a: undefined } }],
  ['[OP7] an array with a hole', { ...property, value: Array.from({ length: 2 }).fill(1, 1) }],
  ['[OP7] a date', { ...property, value: new Date(0) }],
  ['[OP7] half a surrogate pair', { ...property, value: '\udc00' }],
  ['[OP7] half a surrogate pair in a key', { ...property, value: { '\udc00': 1 } }],
  ['[OP7] the key __proto__', { ...property, value: JSON.parse('{"__proto__":1}') }],
  ['[OP7] nesting too deep', { ...property, value: JSON.parse('['.repeat(65) + ']'.repeat(65)) }],
  ['[OP7] a value too large', { ...property, value: 'x'.repeat(limits.maxValueBytes - 1) }],
  ['[OP7] a value too large in UTF-8', { ...property, value: 'ä'.repeat(limits.maxValueBytes / 2) }],
  ['[ID1] upper-case hex', { ...move, spaceId: hex('A') }],
  ['[ID1] a UUID without its first dash', { ...move, spaceId: '000102030405-0607-0809-0a0b0c0d0e0f' }],
  ['[ID1] a line end after the id', { ...move, spaceId: `${hex('a')}\n` }],
  ['[ID2] an empty id', { ...move, peerId: '' }],
  ['[ID2] an id too long', { ...move, peerId: 'p'.repeat(65) }],
  ['[ID2] a dot', { ...move, treeId: 'a.b' }],
  ['[ID2] an inherited name', { ...move, targetId: 'hasOwnProperty' }],
])('%s is refused', (_, op) => {
  expect(verdictOn(op)).toBe('refused')
})

test('[BA15] a problem names its field', () => {
  const wrong = { ...property, value: [Number.NaN] } as TreeOperation
  expect(operationProblem(wrong)).toBe('value: NaN is not JSON')
})

test.each(['peerId', 'treeId', 'spaceId', 'targetId'])(
  'an operation without %s is refused, also the first one',
  async (field) => {
    vi.resetModules()
    const { operationProblem: problemOf } = await import('./operation-problem.ts')
    const id = 'a'.repeat(32)
    const { [field]: _, ...lacking } = {
      clock: 1,
      peerId: id,
      treeId: id,
      spaceId: id,
      targetId: id,
      key: 'k',
      value: 1,
    } as Record<string, unknown>
    expect(problemOf({ ...lacking, [field]: undefined } as unknown as TreeOperation)).toMatch(
      new RegExp(`^${field}: `),
    )
    expect(problemOf(lacking as unknown as TreeOperation)).toMatch(new RegExp(`^${field}: `))
  },
)
