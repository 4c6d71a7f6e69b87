import { bitsAt, highestBit } from './backward-bits.ts'

/**
 * A table of finite state entropy (RFC 8878, 4.1.1). Each state has a symbol, and says which state follows: `base` and as much as
 * the next `bits` bits add to it. An entry holds all three: the base in its lowest 16 bits, `bits` above it, then the symbol.
 */
export interface EntropyTable {
  readonly entries: Uint32Array
  /** The table has two to the power of this many states. */
  readonly accuracyLog: number
}

export const symbolOf = (entry: number): number => entry >>> 24

/** To this, the next `bitsOf(entry)` bits are added. */
export const baseOf = (entry: number): number => entry & 0xffff

export const bitsOf = (entry: number): number => (entry >>> 16) & 0xff

export const entryOf = (table: EntropyTable, state: number): number => table.entries[state] ?? 0

/** A table of one state, which always gives the same symbol. */
export const constantTable = (symbol: number): EntropyTable => ({
  entries: Uint32Array.of(symbol << 24),
  accuracyLog: 0,
})

/**
 * The table for symbols that are as likely as their counts say, in parts of two to the power of `accuracyLog`; -1 stands for less
 * than one part.
 */
export function entropyTable(counts: readonly number[], accuracyLog: number): EntropyTable {
  const size = 2 ** accuracyLog
  const entries = new Uint32Array(size)
  const next = new Uint16Array(counts.length)
  // First, each state gets its symbol: those of less than one part at the end, the others in turns all over the rest.
  let end = size
  for (let symbol = 0; symbol < counts.length; symbol++) {
    const count = counts[symbol] ?? 0
    next[symbol] = Math.abs(count)
    if (count === -1) entries[--end] = symbol
  }
  const step = (size >> 1) + (size >> 3) + 3
  let at = 0
  for (let symbol = 0; symbol < counts.length; symbol++) {
    for (let left = counts[symbol] ?? 0; left > 0; left--) {
      entries[at] = symbol
      do at = (at + step) & (size - 1)
      while (at >= end)
    }
  }
  for (let state = 0; state < size; state++) {
    const symbol = entries[state] ?? 0
    const number = next[symbol] ?? 1
    next[symbol] = number + 1
    const bits = accuracyLog - highestBit(number)
    entries[state] = (symbol << 24) | (bits << 16) | ((number << bits) - size)
  }
  return { entries, accuracyLog }
}

/** Reads a table's description at `at`, which may not reach `end`. Returns the table, and where what follows begins. */
export function readEntropyTable(
  bytes: DataView,
  at: number,
  end: number,
  most: { readonly accuracyLog: number; readonly symbols: number },
): { readonly table: EntropyTable; readonly next: number } {
  // Here the bits are read from the start to the end.
  let place = at * 8
  const accuracyLog = bitsAt(bytes, place, 4) + 5
  place += 4
  if (accuracyLog > most.accuracyLog) throw new Error('a table of entropy is too large')
  const counts: number[] = []
  let parts = 2 ** accuracyLog
  while (parts > 0) {
    // As many bits as the largest number that is possible takes. As many of the smallest as there is room for take one less.
    const bits = highestBit(parts + 1) + 1
    const half = 1 << (bits - 1)
    const shorter = 2 * half - 2 - parts
    let number = bitsAt(bytes, place, bits)
    if ((number & (half - 1)) < shorter) {
      number &= half - 1
      place += bits - 1
    } else {
      if (number >= half) number -= shorter
      place += bits
    }
    const count = number - 1
    counts.push(count)
    parts -= Math.abs(count)
    for (let more = count === 0 ? 3 : 0; more === 3;) {
      more = bitsAt(bytes, place, 2)
      place += 2
      for (let zeros = more; zeros > 0; zeros--) counts.push(0)
      if (counts.length > most.symbols) break
    }
    if (counts.length > most.symbols) throw new Error('a table of entropy has too many symbols')
  }
  const next = (place + 7) >> 3
  if (parts < 0 || next > end) throw new Error('a table of entropy is damaged')
  return { table: entropyTable(counts, accuracyLog), next }
}
