import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import type { TreeOperation } from '@t69/protocol'

export function spaceFile(dataDir: string, spaceId: string): string {
  return join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
}

/** Reads the file of a space without the server or its code: the content of each operation by its id. */
export function readOps(path: string): { count: number; contents: Map<string, string> } {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    const rows = db.prepare('SELECT * FROM tree_ops ORDER BY seq').all()
    const contents = new Map<string, string>()
    for (const [index, row] of rows.entries()) {
      if (row['seq'] !== index + 1) throw new Error(`position ${index + 1} has seq ${String(row['seq'])}`)
      contents.set(...idAndContentOfRow(row))
    }
    return { count: rows.length, contents }
  } finally {
    db.close()
  }
}

/** The id and content of a row of `tree_ops`. */
export function idAndContentOfRow(row: Record<string, unknown>): [id: string, content: string] {
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
