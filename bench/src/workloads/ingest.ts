import { rmSync } from 'node:fs'
import { join } from 'node:path'

import Database from 'better-sqlite3'

import { newFolder } from '../lib/folder.ts'
import { until } from '../lib/until.ts'
import type { Workload } from './workload.ts'

const sizes = [1, 10, 100, 1_000] as const
/** As many batches of a size as take some time. */
const batchesOf = { 1: 300, 10: 200, 100: 100, 1_000: 40 } as const

export const ingest: Workload = {
  name: 'ingest',
  what: 'One device writes batches, each after the server has acknowledged the one before. With an ack that means "on the disk" only.',
  figures: Object.fromEntries(sizes.map((size) => [`${size} at once`, 'a second' as const])),
  rounds: 3,
  takes: (peer) => peer.ack === 'on the disk',
  run: async (bench) => {
    const doc = await (await bench.device()).create()
    const rates: [string, number][] = []
    for (const size of sizes) {
      const begun = performance.now()
      for (let batch = 0; batch < batchesOf[size]; batch++) {
        for (let at = 0; at < size; at++) doc.set(`${size} ${batch} ${at}`, `text ${at}`)
        await doc.acked()
      }
      rates.push([`${size} at once`, (batchesOf[size] * size * 1000) / (performance.now() - begun)])
    }
    const witness = await (await bench.device()).open(doc.name)
    await until('another device has all', () => witness.size() === doc.size())
    return Object.fromEntries(rates)
  },
}

/** What SQLite itself takes, with the same promise: rows with an index, flushed before the transaction ends. */
export function sqliteLimit(): Readonly<Record<string, number>> {
  const folder = newFolder()
  const db = new Database(join(folder, 'limit.db'))
  try {
    db.pragma('journal_mode = wal')
    db.pragma('synchronous = full')
    db.exec(
      'create table texts (id integer primary key, clock integer, peer text, name text, value text, unique (clock, peer)) strict',
    )
    const insert = db.prepare('insert into texts (clock, peer, name, value) values (?, ?, ?, ?)')
    let clock = 0
    return Object.fromEntries(
      sizes.map((size) => {
        const begun = performance.now()
        const write = db.transaction(() => {
          for (let at = 0; at < size; at++) insert.run(++clock, 'peer', `${size} ${at}`, `text ${at}`)
        })
        for (let batch = 0; batch < batchesOf[size]; batch++) write.immediate()
        return [`${size} at once`, (batchesOf[size] * size * 1000) / (performance.now() - begun)]
      }),
    )
  } finally {
    db.close()
    rmSync(folder, { recursive: true })
  }
}
