import type { Random } from '../lib/random.ts'

const tellingBytes = [0, 1, 2, 0x0f, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xbf, 0xc0, 0xf0, 0xfe, 0xff]
const maxBytes = 700_000

/** Mutates bytes of any format: flips bits, sets bytes, and cuts, repeats or inserts ranges. */
export function mutateBytes(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let bytes = input
  for (let left = 1 + random.below(random.chance(0.2) ? 8 : 3); left > 0; left--) {
    bytes = mutateOnce(bytes, other, random)
  }
  return bytes.length > maxBytes ? bytes.subarray(0, maxBytes) : bytes
}

function mutateOnce(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1)
  const end = Math.min(bytes.length, at + 1 + random.below(random.chance(0.1) ? bytes.length + 1 : 8))
  switch (random.below(9)) {
    case 0:
      return withByte(bytes, at, (byte) => byte ^ (1 << random.below(8)))
    case 1:
      return withByte(bytes, at, () => random.below(256))
    case 2:
      return withByte(bytes, at, () => random.pick(tellingBytes))
    case 3:
      return withByte(bytes, at, (byte) => byte + random.below(9) - 4)
    case 4:
      return join(bytes.subarray(0, at), bytes.subarray(end))
    case 5:
      return join(bytes.subarray(0, end), bytes.subarray(at))
    case 6: {
      const inserted = Uint8Array.from({ length: 1 + random.below(4) }, () => random.below(256))
      return join(bytes.subarray(0, at), inserted, bytes.subarray(at))
    }
    case 7: {
      const from = random.below(other.length + 1)
      const piece = other.subarray(from, from + 1 + random.below(32))
      return join(bytes.subarray(0, at), piece, bytes.subarray(random.chance(0.5) ? at : end))
    }
    default:
      return random.chance(0.5) ? bytes.subarray(0, at) : join(bytes, other)
  }
}

function withByte(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  const changed = Uint8Array.from(bytes)
  changed[at] = change(changed[at] ?? 0)
  return changed
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}
