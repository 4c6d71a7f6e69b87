import type { Random } from '../lib/random.ts'

/**
 * Code that handles bytes from strangers. If it handles messages rather than bytes, the bytes are a script for them
 * (draw.ts), so that one loop, one corpus and one form of regression serve all targets.
 */
export interface FuzzTarget {
  seeds(random: Random): Uint8Array[]
  /** A mutation of `input`, with parts of `other`. Leaves both unchanged. */
  mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array
  /**
   * Runs an input from a fresh state. Returns the outcome in a few words: a new outcome also makes an input worth
   * keeping. Throws if a promise is broken.
   */
  run(input: Uint8Array): string | Promise<string>
  /** Releases files and connections. */
  close?(): Promise<void>
}

export const targetNames = ['decoder', 'replica', 'gateway', 'client', 'http', 'planted'] as const
export type TargetName = (typeof targetNames)[number]
