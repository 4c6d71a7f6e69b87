import { decodeBatch, type TreeOperation } from '@t69/protocol'

import type { Random } from '../lib/random.ts'
import { rawBatch, varint, type RawOp } from '../lib/raw-batch.ts'
import { sections, tokensOf, type Token } from './batch-tokens.ts'
import { join, mutateBytes } from './mutate-bytes.ts'

/** Values that have caused bugs, and similar ones. */
// oxfmt-ignore
export const hostileNames = [
  '0', '', '__proto__', 'constructor', 'toString', 'a@b', '@', '../x', 'a\u200db', '\u0000', 'ä', '-', '_',
  'x'.repeat(64), 'x'.repeat(65), '9'.repeat(64), 'f'.repeat(32), 'F'.repeat(32),
]
export const hostileKeys = [...hostileNames, '\ufeff', '\u202e', 'k'.repeat(128), 'k'.repeat(129), '😀', '名']
const hostileClocks = [0, 1, -1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53 - 2, 1_000_000, 1_000_001, 1.5]
const nested = (open: string, depth: number, close: string): string =>
  open.repeat(depth) + close.repeat(depth)
// oxfmt-ignore
export const hostileTexts = [
  '', 'null', 'true', '-0', '1e999', 'NaN', '1.0', '01', '9007199254740993', '1e21', '5e-324', '" "', '"',
  '"\\ud800"', '"\\u0041"', '"\\u2028"', '"\u2028"', '"\ud83d\ude00"', '"\\u007f"', '"\u007f"', '[1,2', '1 2',
  '{"a":1,"a":2}', '{"b":1,"a":2}', '{"1":1,"0":2}', '{"__proto__":1}', '[{"__proto__":{}}]', '{"toJSON":1}',
  nested('[', 64, ']'), nested('[', 65, ']'), nested('{"a":', 5_000, '1'), nested('[', 9_000, ']'),
  '{}', '[]', '[[],{}]', `[${'0,'.repeat(2_000)}0]`, `"${'é'.repeat(500)}"`,
]

/** Mutates a batch: its bytes, its tokens, or its operations. */
export function mutateBatch(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const dice = random.below(20)
  // Encoding new batches takes a hundred times the memory of decoding them.
  const isLarge = input.length + other.length > 100_000
  if (dice < 5 || isLarge) return mutateBytes(input, other, random)
  if (dice < 14) return mutateTokens(input, other, random)
  return mutateOps(input, other, random)
}

function mutateTokens(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let tokens = tokensOf(input)
  const others = tokensOf(other)
  for (let left = 1 + random.below(3); left > 0; left--) tokens = changed(tokens, others, random)
  if (random.chance(0.5)) tokens = counted(tokens)
  return join(...tokens.map(({ bytes }) => bytes))
}

function changed(tokens: readonly Token[], others: readonly Token[], random: Random): Token[] {
  const at = random.below(tokens.length)
  const token = tokens[at]
  if (token === undefined) return [...others]
  const { section, bytes } = token
  const replaced = (next: Uint8Array): Token[] => tokens.with(at, { section, bytes: next })
  switch (random.below(8)) {
    case 0:
      return tokens.toSpliced(at, 1 + random.below(2))
    case 1:
      return tokens.toSpliced(at, 0, token)
    case 2: {
      const alike = others.filter((it) => it.section === section)
      return alike.length === 0 ? [...tokens] : tokens.with(at, random.pick(alike))
    }
    case 3: {
      // Swap it with another token of the same section.
      const there = tokens.findIndex((it, index) => index > at && it.section === section)
      return there < 0 ? [...tokens] : tokens.with(at, tokens[there] ?? token).with(there, token)
    }
    case 4: {
      const [one, two] = [random.pick(sections), random.pick(sections)]
      const of = (wanted: string) => tokens.filter((it) => it.section === wanted)
      return sections.flatMap((it) => of(it === one ? two : it === two ? one : it))
    }
    case 5:
      return replaced(mutateBytes(bytes, others[0]?.bytes ?? bytes, random))
    case 6:
      if (section === 'values') return replaced(utf8(random.pick(hostileTexts)))
      if (section === 'keys') return replaced(lengthAndBytes(utf8(random.pick(hostileKeys))))
      return replaced(hostileNumber(bytes, random))
    default: {
      const section = random.pick(sections)
      return [
        ...tokens.filter((it) => it.section !== section),
        ...others.filter((it) => it.section === section),
      ]
        .map((it, index) => ({ it, index }))
        .sort((a, b) => sections.indexOf(a.it.section) - sections.indexOf(b.it.section) || a.index - b.index)
        .map(({ it }) => it)
    }
  }
}

function hostileNumber(bytes: Uint8Array, random: Random): Uint8Array {
  switch (random.below(4)) {
    case 0: {
      // The same number with a needless byte.
      const longer = Uint8Array.from([...bytes, 0])
      longer[bytes.length - 1] = (bytes.at(-1) ?? 0) | 0x80
      return longer
    }
    case 1:
      return Uint8Array.from({ length: 1 + random.below(9) }, (_, index) => (index < 8 ? 0xff : 0x7f))
    case 2:
      return Uint8Array.from(
        varint(random.pick([0, 1, 2, 127, 128, 19_999, 20_000, 20_001, 2 ** 32, 2 ** 53])),
      )
    default:
      return Uint8Array.from(varint(random.below(300)))
  }
}

/** Corrects the counts of operations, dictionary entries and bytes of values. */
function counted(tokens: readonly Token[]): Token[] {
  const of = (section: string) => tokens.filter((it) => it.section === section)
  const lengths = of('values').map(({ bytes }) => Uint8Array.from(varint(bytes.length)))
  return sections.flatMap((section): readonly Token[] => {
    const own = of(section)
    switch (section) {
      case 'count':
        return [{ section, bytes: Uint8Array.from(varint(of('kinds').length)) }]
      case 'peers':
      case 'trees':
      case 'vertices':
      case 'keys':
        return [{ section, bytes: Uint8Array.from(varint(Math.max(0, own.length - 1))) }, ...own.slice(1)]
      case 'lengths':
        return lengths.map((bytes) => ({ section, bytes }))
      default:
        return own
    }
  })
}

function mutateOps(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const [mine, theirs] = [opsOf(input), opsOf(other)]
  if (mine === undefined || theirs === undefined) return mutateTokens(input, other, random)
  let ops: RawOp[] = mine.ops.map(rawOf)
  const more = theirs.ops.map(rawOf)
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = random.below(ops.length + 1)
    const op = ops[at]
    switch (random.below(6)) {
      case 0:
        ops = ops.toSpliced(at, 1 + random.below(3))
        break
      case 1:
        ops = ops.toSpliced(random.below(ops.length + 1), 0, ...ops.slice(at, at + 1 + random.below(4)))
        break
      case 2:
        ops = ops.toSpliced(at, 0, ...more.slice(0, 1 + random.below(6)))
        break
      default:
        if (op !== undefined) ops = ops.with(at, hostileOp(op, random))
    }
  }
  const spaceId = random.chance(0.95) ? mine.spaceId : theirs.spaceId
  return rawBatch(spaceId, ops, random.chance(0.97) ? ops.length : random.below(30))
}

function hostileOp(op: RawOp, random: Random): RawOp {
  const { parentId, key, text, ...base } = op
  switch (random.below(9)) {
    case 0:
      return { ...op, clock: random.pick(hostileClocks) }
    case 1:
      return { ...op, clock: (op.clock ?? 1) + random.below(7) - 3 }
    case 2:
      return { ...op, peerId: random.pick(hostileNames) }
    case 3:
      return { ...op, treeId: random.pick([...hostileNames, op.targetId ?? 'v']) }
    case 4:
      return { ...op, targetId: random.pick([...hostileNames, op.treeId ?? 't', parentId ?? 'p']) }
    case 5:
      return {
        ...base,
        parentId: random.pick([null, '0', op.targetId ?? 'v', op.treeId ?? 't', 'elsewhere']),
      }
    case 6:
      return { ...base, key: random.pick(hostileKeys), ...(text !== undefined && { text }) }
    case 7:
      return { ...base, key: key ?? 'k', text: random.pick(hostileTexts) }
    default:
      return { ...op, kind: random.below(9) }
  }
}

function opsOf(bytes: Uint8Array) {
  try {
    return decodeBatch(bytes)
  } catch {
    return undefined
  }
}

export function rawOf(op: TreeOperation): RawOp {
  const { clock, peerId, treeId, targetId } = op
  if (op.parentId !== undefined) return { clock, peerId, treeId, targetId, parentId: op.parentId }
  const text = op.value === undefined ? {} : { text: JSON.stringify(op.value) }
  return { clock, peerId, treeId, targetId, key: op.key, ...text }
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const lengthAndBytes = (bytes: Uint8Array): Uint8Array => Uint8Array.from([...varint(bytes.length), ...bytes])
