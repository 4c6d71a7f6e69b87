import { parentPort, workerData } from 'node:worker_threads'

import { startCoverage } from './coverage.ts'
import { fuzzLoop } from './fuzz-loop.ts'
import type { FuzzTarget, TargetName } from './fuzz-target.ts'
import type { FuzzRun } from './run-fuzz.ts'

/** What the thread is told, and where it says what it is about to run. */
export interface FuzzWorkerData extends FuzzRun {
  /** How many inputs were begun, how long the current one is, and its bytes. */
  readonly shared: SharedArrayBuffer
}

const { target: name, isGuided, shared, ...run } = workerData as FuzzWorkerData
const counters = new Int32Array(shared, 0, 2)
const current = new Uint8Array(shared, 8)

/** Each target, and the parts of paths whose coverage guides its inputs. */
const targets: Record<TargetName, { readonly watches: readonly string[]; load(): Promise<FuzzTarget> }> = {
  decoder: {
    watches: ['protocol/src/batch/', 'protocol/src/json-value', 'protocol/src/operation', 'protocol/src/ids'],
    load: async () => (await import('./targets/decoder.ts')).decoderTarget(),
  },
  replica: {
    watches: ['packages/replica/src/'],
    load: async () => (await import('./targets/replica.ts')).replicaTarget(),
  },
  gateway: {
    watches: ['server/src/socket/', 'server/src/spaces/', 'protocol/src/batch/'],
    load: async () => (await import('./targets/gateway.ts')).gatewayTarget(),
  },
  client: {
    watches: ['packages/sync-client/src/'],
    load: async () => (await import('./targets/client.ts')).clientTarget(),
  },
  http: {
    watches: ['server/src/http/', 'server/src/platform/'],
    load: async () => (await import('./targets/http.ts')).httpTarget(),
  },
  planted: {
    watches: ['fuzz/targets/planted'],
    load: async () => (await import('./targets/planted.ts')).plantedTarget(),
  },
}

const chosen = targets[name]
// Before the target and what it loads, or their first runs would not be seen.
const coverage = isGuided ? startCoverage(chosen.watches) : undefined
const target = await chosen.load()
const report = await fuzzLoop({
  ...run,
  target,
  coverage,
  about: (input) => {
    current.set(input.subarray(0, current.length))
    counters[1] = input.length
    Atomics.add(counters, 0, 1)
  },
})
await target.close?.()
parentPort?.postMessage(report)
