import { quantile } from '../lib/stats.ts'
import { pause, until } from '../lib/until.ts'
import { shared, type Workload } from './workload.ts'

const warmUp = 100
const edits = 400
const everyMs = 5

export const latency: Workload = {
  name: 'latency',
  what: `One writes, one reads: ${edits} edits, one every ${everyMs} ms, from the call that edits to the reader's notice of it.`,
  figures: { 'half of them': 'ms', '99 of 100': 'ms' },
  rounds: 3,
  withBare: true,
  run: async (bench) => {
    const [writer, reader] = await shared(bench, 2)
    if (reader === undefined) throw new Error('nobody reads')
    const sent: number[] = []
    const took: number[] = []
    reader.onChange(() => {
      const now = performance.now()
      for (let at = took.length; at < sent.length && reader.get(`k${at}`) !== undefined; at++) {
        took.push(now - (sent[at] ?? now))
      }
    })
    for (let at = 0; at < warmUp + edits; at++) {
      sent.push(performance.now())
      writer.set(`k${at}`, `text ${at}`)
      await pause(everyMs)
    }
    await until('the reader has all', () => took.length === sent.length)
    const counted = took.slice(warmUp)
    return { 'half of them': quantile(counted, 0.5), '99 of 100': quantile(counted, 0.99) }
  },
}
