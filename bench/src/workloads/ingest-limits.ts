import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

import {
  encodeBatch,
  type Epoch,
  type PeerId,
  randomHexId,
  type SpaceId,
  type TreeId,
  type UserId,
  type VertexId,
} from '@t69/protocol'
import Database from 'better-sqlite3'

import { createSqliteOpLogs } from '../../../packages/server/dist/logs/sqlite-op-logs.js'
import { unlimitedAllotment } from '../../../packages/server/dist/storage/allotment.js'
import { createInlineStorage } from '../../../packages/server/dist/storage/inline-storage.js'
import { newFolder } from '../lib/folder.ts'
import type { Limit } from './workload.ts'

/** Batches that are written, one to each document in turn. */
export interface Size {
  readonly edits: number
  /** As many as take some time. */
  readonly batches: number
}

export const rateOf = ({ edits }: Size): string => `${edits} at once`

export function limitsOfIngest(documents: number, sizes: readonly Size[]): readonly Limit[] {
  return [
    {
      name: "t69's storage alone",
      run: () => inFolder((folder) => ratesOfStorage(folder, documents, sizes)),
    },
    {
      name: 'better-sqlite3 alone',
      run: () => inFolder((folder) => ratesOfSqlite(folder, documents, sizes)),
    },
  ]
}

async function inFolder<Result>(run: (folder: string) => Result | Promise<Result>): Promise<Result> {
  const folder = newFolder()
  try {
    return await run(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** What t69 commits in the process that asks for it: it decodes each batch, decides about it, and writes it to a log. */
async function ratesOfStorage(folder: string, documents: number, sizes: readonly Size[]) {
  const storage = createInlineStorage(createSqliteOpLogs({ dataDir: folder }), randomHexId() as Epoch)
  const userId = randomHexId() as UserId
  const peerId = randomHexId().slice(0, 12) as PeerId
  const spaces = Array.from({ length: documents }, () => ({ spaceId: randomHexId() as SpaceId, clock: 0 }))

  function batchOf(space: (typeof spaces)[number], edits: number, batch: number): Uint8Array<ArrayBuffer> {
    const { spaceId } = space
    const [treeId, targetId] = [spaceId as string as TreeId, spaceId as string as VertexId]
    const ops = Array.from({ length: edits }, (_, at) => ({
      clock: ++space.clock,
      peerId,
      treeId,
      spaceId,
      targetId,
      key: `${edits} ${batch} ${at}`,
      value: `text ${at}`,
    }))
    return encodeBatch({ spaceId, ops })
  }

  async function commit(spaceId: SpaceId, batch: Uint8Array<ArrayBuffer>): Promise<void> {
    const pushes = [{ userId, batch }]
    const { results } = await storage.commit({
      spaceId,
      pushes,
      allotment: unlimitedAllotment,
      now: Date.now(),
    })
    if (results[0]?.ok !== true || results[0].rejected.length > 0) throw new Error('a batch was refused')
  }

  for (const space of spaces) {
    await storage.open({ spaceId: space.spaceId, payer: userId, left: undefined })
    await commit(space.spaceId, batchOf(space, 1, -1))
  }
  const rates: [string, number][] = []
  for (const size of sizes) {
    const batches = Array.from({ length: size.batches }, (_, batch) => {
      const space = itemOf(spaces, batch)
      return { spaceId: space.spaceId, batch: batchOf(space, size.edits, batch) }
    })
    const begun = performance.now()
    for (const { spaceId, batch } of batches) await commit(spaceId, batch)
    rates.push([rateOf(size), rateSince(begun, size)])
  }
  await storage.close()
  return Object.fromEntries(rates)
}

/** What SQLite itself takes of the same rows with the same promise: with their index, flushed before the transaction ends. */
function ratesOfSqlite(folder: string, documents: number, sizes: readonly Size[]) {
  const files = Array.from({ length: documents }, (_, index) => {
    const db = new Database(join(folder, `${index}.db`))
    db.pragma('journal_mode = wal')
    db.pragma('synchronous = full')
    db.exec(
      `create table tree_ops (seq integer primary key, clock integer, peerId text, treeId text, spaceId text,
         targetId text, parentId text, key text, value text, unique (treeId, clock, peerId, spaceId)) strict`,
    )
    const insert = db.prepare(
      'insert into tree_ops (clock, peerId, treeId, spaceId, targetId, key, value) values (?, ?, ?, ?, ?, ?, ?)',
    )
    const [id, peer] = [randomHexId(), randomBytes(6).toString('hex')]
    let clock = 0
    const write = db.transaction((edits: number) => {
      for (let at = 0; at < edits; at++)
        insert.run(++clock, peer, id, id, id, `${edits} ${at}`, `"text ${at}"`)
    })
    return { db, write }
  })
  const rates = sizes.map((size): [string, number] => {
    const begun = performance.now()
    for (let batch = 0; batch < size.batches; batch++) itemOf(files, batch).write.immediate(size.edits)
    return [rateOf(size), rateSince(begun, size)]
  })
  for (const { db } of files) db.close()
  return Object.fromEntries(rates)
}

/** The item whose turn it is, again and again. */
export function itemOf<Item>(items: readonly Item[], turn: number): Item {
  const item = items[turn % items.length]
  if (item === undefined) throw new Error('there is none')
  return item
}

/** Edits a second. */
export function rateSince(begun: number, { edits, batches }: Size): number {
  return (edits * batches * 1000) / (performance.now() - begun)
}
