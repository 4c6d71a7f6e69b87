import type { Unit } from './workloads/workload.ts'

/** A file of `results/`: what was measured, when and where. */
export interface Results {
  readonly name: string
  readonly what: string
  readonly figures: Readonly<Record<string, Unit>>
  readonly at: string
  readonly commit: string
  readonly machine: {
    readonly cores: number
    readonly processor: string | undefined
    readonly node: string
    /** How long its disk takes to flush 4 kB, in ms; about 0 where the files were in memory. */
    readonly flushMs: number
  }
  readonly rows: readonly Row[]
}

export interface Row {
  readonly peer: string
  readonly versions: Readonly<Record<string, string>>
  readonly ack?: string
  /** By figure. */
  readonly medians: Readonly<Record<string, number>>
  readonly runs: readonly Readonly<Record<string, number>>[]
  /** Why it has no figures. */
  readonly failure?: string
}
