import { parentPort, workerData } from 'node:worker_threads'

import { startCoverage } from './coverage.ts'
import { fuzzLoop } from './fuzz-loop.ts'
import type { FuzzTarget, TargetName } from './fuzz-target.ts'
import type { FuzzRun } from './run-fuzz.ts'

/** The settings of the thread, and the memory in which it reports the input that it is about to run. */
export interface FuzzWorkerData extends FuzzRun {
  /** The number of inputs started, the length of the current one, and its bytes. */
  readonly shared: SharedArrayBuffer
}

const { target: name, isGuided, shared, ...run } = workerData as FuzzWorkerData
const counters = new Int32Array(shared, 0, 2)
const current = new Uint8Array(shared, 8)

/** The targets, and the parts of paths whose coverage guides their inputs. */
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
// Started before the target is loaded, so that its first run is counted.
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
