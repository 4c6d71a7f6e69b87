import type { EntropyTable } from './entropy-table.ts'
import type { HuffmanCode } from './huffman.ts'

/** The tables for the three numbers of a sequence, in the order in which they are described. */
export type SequenceTables = readonly [literals: EntropyTable, offsets: EntropyTable, matches: EntropyTable]

/** What the blocks of a frame have made so far, and what the next may use again. */
export interface FrameState {
  readonly out: Uint8Array
  /** How many bytes of `out` are written. */
  written: number
  /** The code of the last block that described one for its literals. */
  code: HuffmanCode | undefined
  /** The tables of the last block that had sequences. */
  tables: SequenceTables | undefined
  /** The last three offsets, the latest first. */
  readonly offsets: [number, number, number]
}
