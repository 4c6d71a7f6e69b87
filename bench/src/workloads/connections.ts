import { until } from '../lib/until.ts'
import type { Workload } from './workload.ts'

/** What only the first ones cost is not counted. */
const warmUp = 50
const devices = 200

export const connections: Workload = {
  name: 'connections',
  what: `${devices} devices of one person with one document open, none of which writes, after ${warmUp} others. What the server has for each when its garbage is collected.`,
  figures: { 'held by JavaScript for one': 'kB', 'resident for one': 'kB' },
  rounds: 1,
  run: async (bench) => {
    const first = await (await bench.device()).create()
    first.set('k', 'text')
    await first.acked()
    const open = async (count: number): Promise<void> => {
      for (let opened = 0; opened < count; opened++) {
        const doc = await (await bench.device()).open(first.name)
        if (bench.peer.passesOn !== true) await until('it has the text', () => doc.get('k') !== undefined)
      }
    }
    await open(warmUp)
    const before = await bench.server.memory()
    await open(devices)
    const after = await bench.server.memory()
    const each = (bytes: number): number => bytes / devices / 1000
    return {
      'held by JavaScript for one': each(after.held - before.held),
      'resident for one': each(after.resident - before.resident),
    }
  },
}
