import type { Random } from '../lib/random.ts'

/**
 * Something that takes bytes from strangers. Where it takes no bytes but messages, the bytes are read as a
 * script of them (draw.ts), so that one loop, one corpus and one form of regression serve all.
 */
export interface FuzzTarget {
  seeds(random: Random): Uint8Array[]
  /** A relative of `input`, with parts of `other`. Both are left as they are. */
  mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array
  /**
   * Runs one input from a fresh start. Returns what came of it in a few words: an answer not heard before
   * makes an input worth keeping, too. Throws when a promise is broken.
   */
  run(input: Uint8Array): string | Promise<string>
  /** Lets go of what it keeps outside of memory. */
  close?(): Promise<void>
}

export const targetNames = ['decoder', 'replica', 'gateway', 'client', 'http', 'planted'] as const
export type TargetName = (typeof targetNames)[number]
