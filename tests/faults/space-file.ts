import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { zstdDecompressSync } from 'node:zlib'

import { decodeBatch, type TreeOperation } from '@t69/protocol'

export function spaceFile(dataDir: string, spaceId: string): string {
  return join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
}

/** Reads the file of a space without the server or its code: the content of each operation by its id. */
export function readOps(path: string): { count: number; contents: Map<string, string> } {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    // The server may settle operations meanwhile.
    db.exec('BEGIN')
    const contents = new Map<string, string>()
    let count = 0
    for (const segment of segmentsIn(db)) {
      if (segment['after'] !== count)
        throw new Error(`a segment begins after ${String(segment['after'])}, not ${count}`)
      for (const op of opsOfSegment(segment)) {
        contents.set(...idAndContent(op))
        count++
      }
      if (segment['cursor'] !== count)
        throw new Error(`a segment ends at ${count}, not ${String(segment['cursor'])}`)
    }
    for (const row of db.prepare('SELECT * FROM tree_ops ORDER BY seq').all()) {
      if (row['seq'] !== ++count) throw new Error(`position ${count} has seq ${String(row['seq'])}`)
      contents.set(...idAndContentOfRow(row))
    }
    return { count, contents }
  } finally {
    db.close()
  }
}

/** The rows of `segments`, a table that is made when operations settle first. */
function segmentsIn(db: DatabaseSync): Record<string, unknown>[] {
  const found = db.prepare("SELECT name FROM sqlite_schema WHERE name = 'segments'").get()
  if (found === undefined) return []
  return db.prepare('SELECT after, cursor, page FROM segments ORDER BY after').all()
}

/** The operations of a row of `segments`. */
function opsOfSegment({ page }: Record<string, unknown>): readonly TreeOperation[] {
  if (!(page instanceof Uint8Array)) throw new Error('a segment has no page')
  return decodeBatch(zstdDecompressSync(page)).ops
}

/** The id and content of a row of `tree_ops`. */
function idAndContentOfRow(row: Record<string, unknown>): [id: string, content: string] {
  const { treeId, clock, peerId, targetId, parentId, key, value } = row
  return [idOf(treeId, clock, peerId), contentOf(targetId, parentId, key, value)]
}

/** The id and content of a client's operation. */
export function idAndContent(op: TreeOperation): [id: string, content: string] {
  const value = op.value === undefined ? null : JSON.stringify(op.value)
  return [
    idOf(op.treeId, op.clock, op.peerId),
    contentOf(op.targetId, op.parentId ?? null, op.key ?? null, value),
  ]
}

/** Makes a consistent copy of a file while the server runs, as an operator does. */
export function backUp(path: string, to: string): void {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    db.exec(`VACUUM INTO '${to}'`)
  } finally {
    db.close()
  }
}

const idOf = (...parts: unknown[]): string => parts.join(' ')
const contentOf = (...parts: unknown[]): string => JSON.stringify(parts)
