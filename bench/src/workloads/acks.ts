import { quantile } from '../lib/stats.ts'
import { pause } from '../lib/until.ts'
import type { Workload } from './workload.ts'

const documents = 100
const editsASecond = 300
const seconds = 10

export const acks = acksOf({ name: 'acks' })

/** An ordinary disk of a cloud. */
export const acksSlowDisk = acksOf({ name: 'acks-slow-disk', flushMs: 5 })

function acksOf({ name, flushMs }: Pick<Workload, 'name' | 'flushMs'>): Workload {
  return {
    name,
    ...(flushMs !== undefined && { flushMs }),
    what: `${editsASecond} edits a second, each in one of ${documents} documents, for ${seconds} s: from the call that edits to the server's ack.${flushMs === undefined ? '' : ` Each flush to the disk takes ${flushMs} ms longer.`}`,
    figures: { 'half of them': 'ms', '99 of 100': 'ms', "the server's processor": 's' },
    rounds: 3,
    takes: (peer) => {
      if (peer.ack !== 'none') return true
      return peer.passesOn === true ? false : 'its server tells no client that it has an edit'
    },
    run: async (bench) => {
      const device = await bench.device()
      const docs = []
      for (let made = 0; made < documents; made++) docs.push(await device.create())
      const took: Promise<number>[] = []
      const cpu = bench.server.cpu()
      const begun = performance.now()
      for (let at = 0; at < editsASecond * seconds; at++) {
        const due = begun + (at * 1000) / editsASecond
        if (due > performance.now()) await pause(due - performance.now())
        const doc = docs[(at * 37) % documents]
        const edited = performance.now()
        doc?.set(`k${at}`, `text ${at}`)
        took.push((doc?.acked() ?? Promise.resolve()).then(() => performance.now() - edited))
      }
      const times = await Promise.all(took)
      return {
        'half of them': quantile(times, 0.5),
        '99 of 100': quantile(times, 0.99),
        "the server's processor": bench.server.cpu() - cpu,
      }
    },
  }
}
