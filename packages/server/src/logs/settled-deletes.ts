import { crc32 } from 'node:zlib'

import type { VertexName } from './op-log.ts'

/** A vertex that settled operations delete, as a row of `settled_deletes` has it. */
export interface StoredDelete extends VertexName {
  /** Null: older than checksums. */
  readonly checksum: number | null
}

/** The row as it is stored. */
export function storedDelete({ treeId, targetId }: VertexName): VertexName & { readonly checksum: number } {
  return { treeId, targetId, checksum: checksumOf({ treeId, targetId }) }
}

function checksumOf({ treeId, targetId }: VertexName): number {
  // As JSON: damage can make any value one of another type.
  return crc32(JSON.stringify([treeId, targetId]))
}

/** Why a row is not what was written; undefined if it is. Damage can make any value one of another type. */
export function problemOfDelete(row: StoredDelete): string | undefined {
  // A row whose header says that it has no columns has no checksum either.
  const isReadable = typeof row.treeId === 'string' && typeof row.targetId === 'string'
  if (isReadable && (row.checksum === null || row.checksum === checksumOf(row))) return undefined
  return `the delete of ${row.targetId} in ${row.treeId} does not fit its checksum`
}
