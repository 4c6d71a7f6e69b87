import { forEachOf } from '../lib/at-once.ts'
import { until } from '../lib/until.ts'
import type { Doc } from '../peers/peer.ts'
import type { Bench, Workload } from './workload.ts'

const documents = 500
const textsEach = 10

export const opens: Workload = {
  name: 'opens',
  what: `${documents} documents of ${textsEach} texts. After a restart of the server, one device opens one after another, and keeps them open. The same again, 8 at a time.`,
  figures: {
    opened: 'a second',
    'opened, 8 at a time': 'a second',
    'memory for an open one': 'kB',
    'on the disk for one': 'kB',
  },
  rounds: 1,
  withBare: true,
  takes: (peer) => peer.passesOn !== true,
  run: async (bench) => {
    const before = await bench.server.disk()
    const writer = await bench.device()
    const reader = await bench.device()
    const names: string[] = []
    // Some wait for an answer that nobody gives, when a document is new: many are made at the same time.
    await forEachOf(documents, 20, async () => {
      const doc = await writer.create()
      for (let at = 0; at < textsEach; at++) doc.set(`k${at}`, `text ${at}`)
      await doc.acked()
      names.push(doc.name)
      const seen = await reader.open(doc.name)
      await until('a reader has the document', () => seen.size() === textsEach)
      await seen.close()
      await doc.close()
    })
    await bench.server.stop()
    const disk = (await bench.server.disk()) - before
    await bench.server.start()
    const oneByOne = await openAll(bench, names, 1)
    await bench.server.stop()
    await bench.server.start()
    const together = await openAll(bench, names, 8)
    return {
      opened: oneByOne.rate,
      'opened, 8 at a time': together.rate,
      'memory for an open one': oneByOne.grown / documents / 1000,
      'on the disk for one': disk / documents / 1000,
    }
  },
}

/** A device opens all. Says how many a second, and by how many bytes the server's memory grows. */
async function openAll(
  bench: Bench,
  names: readonly string[],
  atOnce: number,
): Promise<{ readonly rate: number; readonly grown: number }> {
  const device = await bench.device()
  const memory = await bench.server.memory()
  const open: Doc[] = []
  const begun = performance.now()
  await forEachOf(names.length, atOnce, async (index) => {
    const doc = await device.open(names[index] ?? '')
    await until('the document is there', () => doc.size() === textsEach)
    open.push(doc)
  })
  const seconds = (performance.now() - begun) / 1000
  const grown = (await bench.server.memory()).resident - memory.resident
  for (const doc of open) await doc.close()
  await device.close()
  return { rate: names.length / seconds, grown }
}
