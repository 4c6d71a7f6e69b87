import { countBytes } from '../lib/counting-proxy.ts'
import { until } from '../lib/until.ts'
import { textsAtOnce, writeTexts } from '../lib/write-texts.ts'
import { readHistory } from './history.ts'
import type { Bench, Workload } from './workload.ts'

const edits = 100_000

/** One device writes; then the server is started anew, and another device opens the document. */
async function join(bench: Bench, write: (doc: Awaited<ReturnType<typeof made>>) => Promise<number>) {
  const doc = await made(bench)
  const empty = await bench.server.disk()
  const begun = performance.now()
  const count = await write(doc)
  const size = doc.size()
  await doc.acked()
  const witness = await (await bench.device()).open(doc.name)
  await until('another device has all', () => witness.size() === size, 300)
  const wrote = (performance.now() - begun) / 1000
  await witness.close()
  await doc.close()
  await bench.server.stop()
  await bench.server.start()
  const disk = (await bench.server.disk()) - empty
  await using proxy = await countBytes(bench.server.port)
  const device = await bench.device(proxy)
  const joined = performance.now()
  const opened = await device.open(doc.name)
  await until('the new device has all', () => opened.size() === size)
  return { wrote, count, disk, ms: performance.now() - joined, bytes: proxy.received() }
}

async function made(bench: Bench) {
  return await (await bench.device()).create()
}

const takes: Workload['takes'] = (peer) => peer.passesOn !== true

export const coldJoin: Workload = {
  name: 'cold-join',
  what: `A document of ${edits} texts, each set once, ${textsAtOnce} at a time. After a restart of the server, a device that has nothing opens it.`,
  figures: { 'written in': 's', 'opened in': 'ms', 'sent for a text': 'bytes', 'kept for a text': 'bytes' },
  rounds: 1,
  withBare: true,
  takes,
  run: async (bench) => {
    const { wrote, ms, bytes, disk } = await join(bench, async (doc) => {
      await writeTexts(doc, edits)
      return edits
    })
    return {
      'written in': wrote,
      'opened in': ms,
      'sent for a text': bytes / edits,
      'kept for a text': disk / edits,
    }
  },
}

export const history: Workload = {
  name: 'history',
  what: 'The history of a repository (kysely): every commit sets its files, by path, to their hashes and sizes. Then as above.',
  figures: { 'opened in': 'ms', 'sent for an edit': 'bytes', 'kept for an edit': 'bytes' },
  rounds: 1,
  takes,
  run: async (bench) => {
    const { count, ms, bytes, disk } = await join(bench, async (doc) => {
      let edited = 0
      for (const { set, removed } of readHistory()) {
        for (const [path, content] of set) doc.set(path, content)
        for (const path of removed) doc.delete(path)
        edited += set.length + removed.length
        await new Promise(setImmediate)
      }
      return edited
    })
    return { 'opened in': ms, 'sent for an edit': bytes / count, 'kept for an edit': disk / count }
  },
}
