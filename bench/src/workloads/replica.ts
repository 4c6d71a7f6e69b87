import { once } from 'node:events'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'

import { type ReplicaKind, replicaKinds } from '../replicas/replicas.ts'
import type { Written } from '../replicas/write-replica.ts'
import type { LocalWorkload } from './workload.ts'

const count = 100_000
const atOnce = 1_000

export const replica: LocalWorkload = {
  name: 'replica',
  what: `No network and no disk: ${count} texts, ${atOnce} at a time, are written, received by another replica, and loaded in a thread that has nothing else: for t69 from the pages of its log, for the others from a state.`,
  figures: { written: 'a second', received: 'a second', 'loaded in': 'ms', 'memory for a text': 'bytes' },
  rounds: 1,
  alone: replicaKinds.map((kind) => ({ ...kind, run: () => measure(kind) })),
}

async function measure(kind: ReplicaKind): Promise<Readonly<Record<string, number>>> {
  const { written, received, kept } = await write(kind.name)
  const before = heldBytes()
  const begun = performance.now()
  const doc = kind.load(kept)
  const ms = performance.now() - begun
  const held = heldBytes() - before
  if (doc.size() !== count) throw new Error(`what was loaded has ${doc.size()} texts`)
  return { written, received, 'loaded in': ms, 'memory for a text': held / count }
}

async function write(name: string): Promise<Written> {
  const worker = new Worker(join(import.meta.dirname, '../replicas/write-replica.ts'), {
    workerData: { name, count, atOnce },
  })
  const [written] = (await once(worker, 'message')) as [Written]
  await worker.terminate()
  return written
}

/** Bytes of this thread without its garbage: of JavaScript, and outside of it, as WebAssembly's. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
