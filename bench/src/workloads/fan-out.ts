import { until } from '../lib/until.ts'
import { shared, type Workload } from './workload.ts'

const writers = 4
const readers = 8
const edits = 8_000

export const fanOut: Workload = {
  name: 'fan-out',
  what: `${writers} write ${edits} edits as fast as their event loop turns, ${readers} read: until everybody has everything.`,
  figures: { time: 's', "the server's processor": 's' },
  rounds: 3,
  withBare: true,
  run: async (bench) => {
    const lastOfEach = Array.from({ length: writers }, (_, index) => `k${edits - 1 - index}`)
    const docs = await shared(bench, writers + readers)
    const cpu = bench.server.cpu()
    const begun = performance.now()
    const figures = () => ({
      time: (performance.now() - begun) / 1000,
      "the server's processor": bench.server.cpu() - cpu,
    })
    for (let made = 0; made < edits; made += writers) {
      for (const [index, doc] of docs.slice(0, writers).entries()) doc.set(`k${made + index}`, `text ${made}`)
      await new Promise(setImmediate)
    }
    // To count all texts takes some peers long, and is not part of it.
    const hasLast = (): boolean => docs.every((doc) => lastOfEach.every((key) => doc.get(key) !== undefined))
    const hasAll = (): boolean => docs.every((doc) => doc.size() === edits)
    await until("everybody has every writer's last", hasLast)
    let taken = figures()
    if (!hasAll()) {
      await until('everybody has everything', hasAll)
      taken = figures()
    }
    return taken
  },
}
