/**
 * Splits a batch into the tokens of its layout (SPEC.md, "Batches"), as far as the bytes follow it. Mutations of single
 * tokens keep the rest intact, while a fuzzer that only flips bits rarely gets beyond the dictionaries.
 */

export const sections = [
  'head',
  'space',
  'count',
  'peers',
  'trees',
  'vertices',
  'keys',
  'kinds',
  'peer runs',
  'tree runs',
  'clock runs',
  'references',
  'lengths',
  'values',
] as const
export type Section = (typeof sections)[number]

export interface Token {
  readonly section: Section
  readonly bytes: Uint8Array
}

export function tokensOf(batch: Uint8Array): Token[] {
  const tokens: Token[] = []
  let at = 0
  const take = (section: Section, length: number): Uint8Array => {
    const bytes = batch.subarray(at, at + length)
    at += bytes.length
    if (bytes.length > 0) tokens.push({ section, bytes })
    return bytes
  }
  const number = (section: Section): number => {
    let length = 1
    while ((batch[at + length - 1] ?? 0) >= 0x80 && length < 10) length++
    return valueOf(take(section, length))
  }
  const id = (section: Section): void => void take(section, 1 + payloadOf(batch[at] ?? 0))
  const runs = (section: Section, count: number): void => {
    for (let covered = 0; covered < count && at < batch.length;) {
      number(section)
      covered += number(section) + 1
    }
  }

  take('head', 1)
  id('space')
  const count = Math.min(number('count'), batch.length)
  for (const section of ['peers', 'trees', 'vertices'] as const) {
    for (let left = number(section); left > 0 && at < batch.length; left--) id(section)
  }
  for (let left = number('keys'); left > 0 && at < batch.length; left--) {
    const length = valueOf(batch.subarray(at, at + 1)) % 128
    take('keys', 1 + length)
  }
  const kinds = Array.from({ length: count }, () => (at < batch.length ? number('kinds') : 1))
  runs('peer runs', count)
  runs('tree runs', count)
  runs('clock runs', count)
  const references = kinds.reduce((sum, kind) => sum + (kind === 0 ? 2 : 1), 0)
  for (let left = references; left > 0 && at < batch.length; left--) number('references')
  const isSet = (kind: number): boolean => kind >= 2 && kind % 2 === 0
  const lengths = kinds.filter(isSet).map(() => (at < batch.length ? number('lengths') : 0))
  for (const length of lengths) take('values', length)
  take('values', batch.length)
  return tokens
}

function payloadOf(tag: number): number {
  if (tag < 2) return 16
  return tag < 66 ? tag >> 1 : tag - 65
}

function valueOf(varint: Uint8Array): number {
  let value = 0
  for (const [index, byte] of varint.entries()) value += (byte & 0x7f) * 128 ** index
  return value
}
