import { forEachOf } from '../lib/at-once.ts'
import { until } from '../lib/until.ts'
import type { Doc } from '../peers/peer.ts'
import { itemOf, limitsOfIngest, rateOf, rateSince, type Size } from './ingest-limits.ts'
import type { Workload } from './workload.ts'

const intoOne: readonly Size[] = [
  { edits: 1, batches: 300 },
  { edits: 10, batches: 200 },
  { edits: 100, batches: 100 },
  { edits: 1_000, batches: 40 },
]
const intoMany: readonly Size[] = [
  { edits: 1, batches: 1_000 },
  { edits: 10, batches: 1_000 },
  { edits: 100, batches: 300 },
  { edits: 1_000, batches: 50 },
]

export const ingest = ingestInto(1, intoOne, {
  name: 'ingest',
  rounds: 3,
  atOnce: 1,
  what: 'One device writes batches, each after the server has acknowledged the one before.',
})

export const ingestSpaces = ingestInto(500, intoMany, {
  name: 'ingest-spaces',
  rounds: 3,
  atOnce: 32,
  what: 'One device writes batches to one of 500 documents after the other; 32 of them wait for the server.',
})

function ingestInto(
  documents: number,
  sizes: readonly Size[],
  { name, what, rounds, atOnce }: { name: string; what: string; rounds: number; atOnce: number },
): Workload {
  return {
    name,
    what: `${what} With an ack that means "on the disk" only. The limits are t69's storage without a server, and SQLite alone, with t69's rows and a file for each document.`,
    figures: Object.fromEntries(sizes.map((size) => [rateOf(size), 'a second' as const])),
    rounds,
    withBare: true,
    takes: (peer) => peer.passesOn !== true && (peer.ack === 'on the disk' || 'its acks do not mean that'),
    run: async (bench) => {
      const device = await bench.device()
      const docs: Doc[] = []
      await forEachOf(documents, atOnce, async () => void docs.push(await device.create()))
      const rates: [string, number][] = []
      for (const size of sizes) {
        const { edits, batches } = size
        const begun = performance.now()
        await forEachOf(batches, atOnce, async (batch) => {
          const doc = itemOf(docs, batch)
          for (let at = 0; at < edits; at++) doc.set(`${edits} ${batch} ${at}`, `text ${at}`)
          await doc.acked()
        })
        rates.push([rateOf(size), rateSince(begun, size)])
      }
      const witness = await bench.device()
      await forEachOf(documents, atOnce, async (index) => {
        const doc = itemOf(docs, index)
        const seen = await witness.open(doc.name)
        await until('another device has all', () => seen.size() === doc.size())
        await seen.close()
      })
      return Object.fromEntries(rates)
    },
    limits: limitsOfIngest(documents, sizes),
  }
}
