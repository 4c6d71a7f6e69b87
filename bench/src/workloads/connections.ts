import { until } from '../lib/until.ts'
import type { Workload } from './workload.ts'

/** Of one person, whom t69 allows 100 connections at once. */
const devices = 50

export const connections: Workload = {
  name: 'connections',
  what: `${devices} devices with one document open, none of which writes.`,
  figures: { 'memory for one': 'kB' },
  rounds: 3,
  run: async (bench) => {
    const first = await (await bench.device()).create()
    first.set('k', 'text')
    await first.acked()
    const before = bench.server.memory()
    for (let count = 0; count < devices; count++) {
      const doc = await (await bench.device()).open(first.name)
      if (bench.peer.keepsNothing !== true) await until('it has the text', () => doc.get('k') !== undefined)
    }
    return { 'memory for one': (bench.server.memory() - before) / devices / 1000 }
  },
}
