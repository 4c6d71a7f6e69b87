import { describe, expect, test } from 'vitest'

import { SyncError } from '../errors.ts'
import { limits } from '../limits.ts'
import { treeOperationSchema, type TreeOperation } from '../operation.ts'
import { ByteWriter } from './byte-writer.ts'
import { decodeBatch } from './decode.ts'
import { encodeBatch } from './encode.ts'
import { writeId } from './id-code.ts'

/** The layout of the bytes, section by section: valid and invalid batches put together by hand. */

const spaceHex = '000102030405060708090a0b0c0d0e0f'

/** A number is a varint, a string an id, `text` raw UTF-8, `signed` a zig-zag varint. */
type Part = number | string | { readonly text: string } | { readonly signed: number } | Uint8Array

function bytesOf(...parts: readonly Part[]): Uint8Array {
  const writer = new ByteWriter()
  for (const part of parts) {
    if (typeof part === 'number') writer.writeVarint(part)
    else if (typeof part === 'string') writeId(writer, part)
    else if ('signed' in part) writer.writeSignedVarint(part.signed)
    else for (const byte of rawBytes(part)) writer.writeByte(byte)
  }
  return writer.toBytes()
}

const rawBytes = (part: { readonly text: string } | Uint8Array): Uint8Array =>
  part instanceof Uint8Array ? part : new TextEncoder().encode(part.text)

interface Sections {
  version: readonly Part[]
  spaceId: readonly Part[]
  count: readonly Part[]
  peers: readonly Part[]
  trees: readonly Part[]
  vertices: readonly Part[]
  keys: readonly Part[]
  kinds: readonly Part[]
  peerRuns: readonly Part[]
  treeRuns: readonly Part[]
  clockRuns: readonly Part[]
  vertexRefs: readonly Part[]
  valueLengths: readonly Part[]
  values: readonly Part[]
}

/** Peer 7 puts the vertex `v` under `t` at clock 1, and sets its `k` to "a" at clock 2. */
const plain: Sections = {
  version: [1],
  spaceId: [spaceHex],
  count: [2],
  peers: [1, '7'],
  trees: [1, 't'],
  vertices: [2, 'v', 't'],
  keys: [1, 1, { text: 'k' }],
  kinds: [0, 2],
  peerRuns: [0, 1],
  treeRuns: [0, 1],
  clockRuns: [{ signed: 1 }, 1],
  vertexRefs: [1, 1, 0],
  valueLengths: [3],
  values: [{ text: '"a"' }],
}

const plainOps = [
  { clock: 1, peerId: '7', treeId: 't', spaceId: spaceHex, targetId: 'v', parentId: 't' },
  { clock: 2, peerId: '7', treeId: 't', spaceId: spaceHex, targetId: 'v', key: 'k', value: 'a' },
]

function batchWith(changes: Partial<Sections> = {}): Uint8Array {
  return bytesOf(...Object.values({ ...plain, ...changes }).flat())
}

function refusalOf(bytes: Uint8Array): SyncError {
  try {
    decodeBatch(bytes)
  } catch (error) {
    if (error instanceof SyncError) return error
    throw error
  }
  throw new Error('the batch decoded')
}

function opsOf(...ops: readonly object[]): TreeOperation[] {
  return ops.map((op) => treeOperationSchema.parse(op))
}

test('[BA1] a batch is its version, space, count, dictionaries and columns, and nothing else', () => {
  expect(decodeBatch(batchWith())).toEqual({ spaceId: spaceHex, ops: plainOps })
  const ops = opsOf(...plainOps)
  expect(encodeBatch({ spaceId: ops[0]!.spaceId, ops })).toEqual(batchWith())
  expect(refusalOf(Uint8Array.of(...batchWith(), 0)).code).toBe('invalid_batch')
})

test('[BA1] an empty batch is its version, its space and five zeros', () => {
  const bytes = bytesOf(1, spaceHex, 0, 0, 0, 0, 0)
  const batch = decodeBatch(bytes)
  expect(batch).toEqual({ spaceId: spaceHex, ops: [] })
  expect(encodeBatch(batch)).toEqual(bytes)
})

test('[VE3] a batch with an unknown layout version is refused', () => {
  for (const version of [0, 2, 127]) {
    const error = refusalOf(batchWith({ version: [version] }))
    expect(error.code).toBe('invalid_batch')
    expect(error.message).toContain(`version ${version}`)
  }
})

describe('[BA2] ids', () => {
  const withPeer = (...peer: Part[]) => batchWith({ peers: [1, ...peer] })
  const raw = (...bytes: number[]) => Uint8Array.of(...bytes)

  test.each([
    ['hex', spaceHex, 17],
    ['uuid', '00010203-0405-0607-0809-0a0b0c0d0e0f', 17],
    ['an even number of digits', '123456', 4],
    ['an odd number of digits', '12345', 4],
    ['64 digits', '9'.repeat(64), 33],
    ['32 digits, which count as hex', '1'.repeat(32), 17],
    ['text', 'Peer_1-x', 9],
    ['64 characters', 'z'.repeat(64), 65],
  ])('[BA2] %s: an id is written in its shortest form, and decodes', (_, id, byteLength) => {
    expect(bytesOf(id).length).toBe(byteLength)
    expect(decodeBatch(withPeer(id)).ops[0]?.peerId).toBe(id)
  })

  test.each([
    ['digits as text', raw(66, 0x37)],
    ['hex as text', Uint8Array.of(66 + 31, ...new TextEncoder().encode('f'.repeat(32)))],
    ['32 digits as digits', Uint8Array.of(2 + 31, ...Array.from({ length: 16 }, () => 0x11))],
    ['a half byte that is no digit', raw(3, 0x1a)],
    ['an unused half byte other than 0', raw(2, 0x71)],
    ['a forbidden character', raw(66, 0x40)],
    ['a byte beyond ASCII', raw(66, 0xe9)],
    ['an inherited name', Uint8Array.of(66 + 10, ...new TextEncoder().encode('constructor'))],
    ['an unknown tag', raw(130, 0x37)],
  ])('[BA2] %s is refused', (_, peer) => {
    expect(refusalOf(withPeer(peer)).code).toBe('invalid_batch')
  })

  test('[BA2] a space id other than hex or a UUID is refused', () => {
    for (const id of ['7', 'space', '9'.repeat(33)]) {
      expect(refusalOf(batchWith({ spaceId: [id] })).code).toBe('invalid_batch')
    }
  })
})

describe('[BA3] dictionaries', () => {
  test.each<[string, Partial<Sections>]>([
    ['a name twice', { peers: [2, '7', '7'], peerRuns: [0, 0, 1, 0] }],
    ['a name that is never used', { peers: [2, '7', '8'] }],
    ['a key that is never used', { keys: [2, 1, { text: 'k' }, 1, { text: 'l' }] }],
    ['a vertex that is never used', { vertices: [3, 'v', 't', 'w'] }],
    ['names not in the order of their use', { peers: [2, '7', '8'], peerRuns: [1, 0, 0, 0] }],
    ['keys not in the order of their use', { keys: [2, 1, { text: 'k' }, 1, { text: 'l' }], kinds: [5, 2] }],
    ['an index beyond the dictionary', { peerRuns: [0, 0, 1, 0] }],
    ['a key beyond the dictionary', { kinds: [0, 4] }],
    ['a key that is not UTF-8', { keys: [1, 1, Uint8Array.of(0xff)] }],
    ['a key with "@"', { keys: [1, 3, { text: 'k@v' }] }],
    ['a key that is invisible', { keys: [1, 3, { text: '\u200b' }] }],
    ['an empty key', { keys: [1, 0, 2] }],
    ['more entries than bytes', { peers: [1_000_000] }],
  ])('[BA3] %s is refused', (_, changes) => {
    expect(refusalOf(batchWith(changes)).code).toBe('invalid_batch')
  })
})

describe('[BA4] kinds', () => {
  test('[BA4] root moves and removals decode', () => {
    const bytes = batchWith({
      vertices: [1, 't'],
      kinds: [1, 3],
      vertexRefs: [1, 0],
      valueLengths: [],
      values: [],
    })
    expect(decodeBatch(bytes).ops).toEqual([
      { clock: 1, peerId: '7', treeId: 't', spaceId: spaceHex, targetId: 't', parentId: null },
      { clock: 2, peerId: '7', treeId: 't', spaceId: spaceHex, targetId: 't', key: 'k' },
    ])
  })

  test('[BA4] [BA12] a move that no tree allows is refused with its index', () => {
    const rootless = refusalOf(batchWith({ kinds: [1, 2], vertices: [1, 'v'], vertexRefs: [1, 0] }))
    expect(rootless.body).toMatchObject({ code: 'invalid_batch', at: 0 })
    const movedRoot = refusalOf(batchWith({ vertices: [2, 't', 'v'] }))
    expect(movedRoot.body).toMatchObject({ code: 'invalid_batch', at: 0 })
    expect(movedRoot.message).toBe('operation 0: parentId: the root does not move')
  })
})

describe('[BA5] [BA6] runs', () => {
  test.each<[string, Partial<Sections>]>([
    ['neighbours that are equal', { peerRuns: [0, 0, 0, 0] }],
    ['neighbouring clock steps that are equal', { clockRuns: [{ signed: 1 }, 0, { signed: 1 }, 0] }],
    ['a run beyond the batch', { treeRuns: [0, 2] }],
    ['a run of 2^53 - 1', { treeRuns: [0, Number.MAX_SAFE_INTEGER] }],
  ])('[BA5] [BA6] %s are refused', (_, changes) => {
    expect(refusalOf(batchWith(changes)).code).toBe('invalid_batch')
  })

  test('[BA6] a clock is written as the difference from the previous clock in its tree', () => {
    const bytes = batchWith({
      count: [3],
      trees: [2, 't', 'u'],
      vertices: [1, 'v'],
      kinds: [3, 3, 3],
      peerRuns: [0, 2],
      treeRuns: [0, 0, 1, 0, 0, 0],
      clockRuns: [{ signed: 100 }, 0, { signed: 5 }, 0, { signed: -1 }, 0],
      vertexRefs: [1, 0, 0],
      valueLengths: [],
      values: [],
    })
    expect(decodeBatch(bytes).ops.map((op) => op.clock)).toEqual([100, 5, 99])
  })

  test('[BA6] clocks at the end of the safe integers decode', () => {
    const far = opsOf(...[2 ** 53 - 1, 1, 2 ** 53 - 1].map((clock) => ({ ...plainOps[1], clock })))
    const bytes = encodeBatch({ spaceId: far[0]!.spaceId, ops: far })
    expect(decodeBatch(bytes).ops).toEqual(far)
  })

  test('[BA6] [BA12] a clock outside the safe integers is refused with its index', () => {
    const runs = [[{ signed: 1 }, 0, { signed: -1 }, 0] as const, [{ signed: 2 ** 53 - 1 }, 1] as const]
    for (const clockRuns of runs) {
      expect(refusalOf(batchWith({ clockRuns })).body).toMatchObject({ code: 'invalid_batch', at: 1 })
    }
  })
})

describe('[BA7] vertices', () => {
  test.each<[string, Partial<Sections>]>([
    ['a reference to the previous vertex where there is none', { vertexRefs: [0, 1, 0] }],
    ['a reference to an entry that is not used yet', { vertexRefs: [1, 9, 0] }],
    ['a counted reference to the previous target', { vertexRefs: [1, 1, 3] }],
    ['a new entry beyond the end of the dictionary', { vertexRefs: [1, 1, 1] }],
  ])('[BA7] %s is refused', (_, changes) => {
    expect(refusalOf(batchWith(changes)).code).toBe('invalid_batch')
  })

  test('[BA7] a reference counts back from the newest entry', () => {
    expect(decodeBatch(batchWith({ vertexRefs: [1, 1, 2] })).ops[1]?.targetId).toBe('t')
  })
})

describe('[BA8] [BA9] values', () => {
  const withValue = (text: string, length = new TextEncoder().encode(text).length) =>
    batchWith({ valueLengths: [length], values: [{ text }] })

  test.each(['null', '"ä😀"', '1e-7', '{"1":1,"b":[{}]}', '"\\n\\u0000"', '0.1', '""'])(
    '[BA8] [BA9] the value %s decodes',
    (text) => {
      expect(decodeBatch(withValue(text)).ops[1]).toHaveProperty('value', JSON.parse(text))
    },
  )

  test('[BA8] [BA9] texts of every length decode, of ASCII and of more', () => {
    for (let length = 0; length < 70; length++) {
      for (const text of ['x'.repeat(length), '\u007f\u2028é'.padEnd(length, 'x')]) {
        const json = JSON.stringify(text)
        expect(decodeBatch(withValue(json)).ops[1]).toHaveProperty('value', text)
      }
    }
  })

  test.each([
    ['white space', ' 1'],
    ['a byte order mark', '\ufeff1'],
    ['a number in another form', '1.0'],
    ['-0', '-0'],
    ['a number too large', '1e999'],
    ['a needless escape', '"\\u0041"'],
    ['half a surrogate pair', '"\\ud800"'],
    ['keys in another order', '{"b":1,"1":1}'],
    ['a key twice', '{"a":1,"a":1}'],
    ['the key __proto__', '{"__proto__":1}'],
    ['nesting beyond the limit', '['.repeat(65) + ']'.repeat(65)],
    ['nesting that would overflow a recursion', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['text that is not JSON', '{'],
    ['an empty text', ''],
    ['a control character', '"\u0001"'],
    ['a quote within a text', '"a"b"'],
  ])('[BA9] [BA12] as a value, %s is refused with its index', (_, text) => {
    expect(refusalOf(withValue(text)).body).toMatchObject({ code: 'invalid_batch', at: 1 })
  })

  test('[BA12] [OP7] a value that is one byte too large is refused with its index', () => {
    const largest = JSON.stringify('x'.repeat(limits.maxValueBytes - 2))
    expect(decodeBatch(withValue(largest)).ops.length).toBe(2)
    const larger = refusalOf(withValue(JSON.stringify('x'.repeat(limits.maxValueBytes - 1))))
    expect(larger.body).toMatchObject({ code: 'invalid_batch', at: 1 })
  })

  test('[BA8] value lengths that do not sum to the bytes left are refused', () => {
    expect(refusalOf(withValue('1', 2)).code).toBe('invalid_batch')
    expect(refusalOf(withValue('1', 0)).code).toBe('invalid_batch')
  })

  test('[BA8] a value that ends within a character is refused', () => {
    const bytes = batchWith({
      kinds: [2, 2],
      vertices: [1, 'v'],
      vertexRefs: [1, 0],
      valueLengths: [2, 3],
      values: [{ text: '"é"2' }],
    })
    expect(refusalOf(bytes).body).toMatchObject({ code: 'invalid_batch', at: 0 })
  })

  test('[BA8] values that are not UTF-8 are refused', () => {
    const values = [Uint8Array.of(0x22, 0xff, 0x22)]
    expect(refusalOf(batchWith({ values })).code).toBe('invalid_batch')
  })
})

describe('numbers', () => {
  test.each([
    ['needless bytes', Uint8Array.of(0x82, 0x00)],
    ['more than 2^53 - 1', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10)],
    ['too many bytes', Uint8Array.of(...Array.from({ length: 20 }, () => 0xff))],
  ])('[BA1] a number with %s is refused', (_, count) => {
    expect(refusalOf(batchWith({ count: [count] })).code).toBe('invalid_batch')
  })

  test('[BA6] a clock step with needless bytes is refused', () => {
    expect(refusalOf(batchWith({ clockRuns: [Uint8Array.of(0x82, 0x00), 1] })).code).toBe('invalid_batch')
  })
})

describe('limits', () => {
  test('[BA12] bytes above the limit are refused as too large, whatever they are', () => {
    expect(refusalOf(new Uint8Array(limits.maxBatchBytes + 1)).code).toBe('too_large')
  })

  test('[BA12] a count above the limit is refused as too large, however few bytes follow', () => {
    expect(refusalOf(batchWith({ count: [limits.maxBatchOps + 1] })).code).toBe('too_large')
    expect(refusalOf(batchWith({ count: [Number.MAX_SAFE_INTEGER] })).code).toBe('too_large')
  })

  test('[BA12] a count of more operations than the bytes can hold is refused', () => {
    expect(refusalOf(batchWith({ count: [limits.maxBatchOps] })).code).toBe('invalid_batch')
  })
})
