import { Worker } from 'node:worker_threads'

import type { FuzzReport } from './fuzz-loop.ts'
import type { TargetName } from './fuzz-target.ts'
import type { FuzzWorkerData } from './fuzz-worker.ts'

export interface FuzzRun {
  readonly target: TargetName
  readonly seed: number
  readonly inputs: number
  readonly seconds: number
  /** Also guided by coverage, at half the speed. */
  readonly isGuided: boolean
  /** The inputs that an earlier run kept, or none for a new start. */
  readonly corpus: readonly Uint8Array[]
  /** An input that takes longer counts as hanging. */
  readonly hangMs?: number
}

/** The heap of the fuzzing thread, in MB. Reserving memory that the bytes do not justify ends the thread. */
const heapMb = 160
const patienceMs = 20_000
/** How long the thread may take until its first input, in ms: it loads the target from its sources. */
const startMs = 120_000
const maxInput = 1_000_000

/**
 * Fuzzes in a separate thread with little memory. An input on which the thread hangs, runs out of memory or dies is a
 * finding like any other.
 */
export function runFuzz(run: FuzzRun): Promise<FuzzReport> {
  const { hangMs = patienceMs } = run
  const shared = new SharedArrayBuffer(8 + maxInput)
  const counters = new Int32Array(shared, 0, 2)
  const workerData: FuzzWorkerData = { ...run, shared }
  const startedAt = performance.now()
  return new Promise((resolve) => {
    const worker = new Worker(new URL('fuzz-worker.ts', import.meta.url), {
      workerData,
      execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
      resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: 32 },
    })
    let seen = -1
    const watch = setInterval(() => {
      const begun = Atomics.load(counters, 0)
      const mayStart = begun === 0 && performance.now() - startedAt < startMs
      if (begun === seen && !mayStart) return broken(`hangs for ${hangMs} ms`)
      seen = begun
    }, hangMs)
    worker.once('message', (report: FuzzReport) => end(report))
    worker.once('error', (error) => broken(error instanceof Error ? (error.stack ?? error.message) : 'died'))
    worker.once('exit', (code) => broken(`the thread ended with ${code}`))

    function broken(message: string): void {
      const input = new Uint8Array(shared, 8, Math.min(Atomics.load(counters, 1), maxInput)).slice()
      const seconds = (performance.now() - startedAt) / 1000
      const findings = [{ message, input }]
      end({ inputs: Atomics.load(counters, 0), seconds, corpus: [], outcomes: [], shares: {}, findings })
    }

    function end(report: FuzzReport): void {
      clearInterval(watch)
      worker.removeAllListeners()
      void worker.terminate().then(() => resolve(report))
    }
  })
}
