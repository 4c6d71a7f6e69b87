import { until } from '../lib/until.ts'
import type { Doc } from '../peers/peer.ts'
import type { Workload } from './workload.ts'

const documents = 500
const textsEach = 10

export const opens: Workload = {
  name: 'opens',
  what: `${documents} documents of ${textsEach} texts. After a restart of the server, one device opens one after another, and keeps them open.`,
  figures: { opened: 'a second', 'memory for an open one': 'kB', 'on the disk for one': 'kB' },
  rounds: 3,
  takes: (peer) => peer.keepsNothing !== true,
  run: async (bench) => {
    const before = await bench.server.disk()
    const writer = await bench.device()
    const reader = await bench.device()
    const names: string[] = []
    for (let made = 0; made < documents; made++) {
      const doc = await writer.create()
      for (let at = 0; at < textsEach; at++) doc.set(`k${at}`, `text ${at}`)
      await doc.acked()
      names.push(doc.name)
      const seen = await reader.open(doc.name)
      await until('a reader has the document', () => seen.size() === textsEach)
      await seen.close()
      await doc.close()
    }
    await bench.server.stop()
    const disk = (await bench.server.disk()) - before
    await bench.server.start()
    const device = await bench.device()
    const memory = bench.server.memory()
    const open: Doc[] = []
    const begun = performance.now()
    for (const name of names) {
      const doc = await device.open(name)
      await until('the document is there', () => doc.size() === textsEach)
      open.push(doc)
    }
    const seconds = (performance.now() - begun) / 1000
    const grown = bench.server.memory() - memory
    for (const doc of open) await doc.close()
    return {
      opened: documents / seconds,
      'memory for an open one': grown / documents / 1000,
      'on the disk for one': disk / documents / 1000,
    }
  },
}
