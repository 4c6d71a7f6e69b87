import { crc32 } from 'node:zlib'

import { type JsonValue, operationProblem, type TreeOperation } from '@t69/protocol'

import { WrongContentError } from '../sqlite/storage-failure.ts'
import type { StoredOpRow, TreeOpRow } from './space-schema.ts'

export function rowByOp(op: TreeOperation): TreeOpRow {
  const { clock, peerId, treeId, spaceId, targetId } = op
  if (op.key === undefined) {
    return { clock, peerId, treeId, spaceId, targetId, parentId: op.parentId, key: null, value: null }
  }
  const value = op.value === undefined ? null : JSON.stringify(op.value)
  return { clock, peerId, treeId, spaceId, targetId, parentId: null, key: op.key, value }
}

/** CRC-32 of an operation and of its position in the log. */
export function checksumOfRow(seq: number, row: TreeOpRow): number {
  const { clock, peerId, treeId, spaceId, targetId, parentId, key, value } = row
  // No id and no key has a line end in it. "+" and "-" tell a text from what is not there.
  const place = parentId === null ? `-${key === null ? '-' : `+${key}`}` : `+${parentId}`
  const content = value === null ? '-' : `+${value}`
  return crc32(`${seq}\n${clock}\n${peerId}\n${treeId}\n${spaceId}\n${targetId}\n${place}\n${content}`)
}

/** Why a row is not what was written; undefined if it seems to be. A row from before checksums is looked at closely. */
export function problemOfRow(row: StoredOpRow): string | undefined {
  if (!isReadable(row)) return 'a value of it is of another type'
  if (row.checksum !== null) {
    return row.checksum === checksumOfRow(row.seq, row) ? undefined : 'it does not fit its checksum'
  }
  const op = opByRow(row)
  const text = op.value === undefined ? null : JSON.stringify(op.value)
  return operationProblem(op) ?? (text === row.value ? undefined : 'value: it is not as it was written')
}

/** Damage can make any value one of another type, bytes for example, which look like the text that they were. */
function isReadable(row: StoredOpRow): boolean {
  return (
    Number.isSafeInteger(row.clock) &&
    typeof row.peerId === 'string' &&
    typeof row.treeId === 'string' &&
    typeof row.spaceId === 'string' &&
    typeof row.targetId === 'string' &&
    isTextOrNull(row.parentId) &&
    isTextOrNull(row.key) &&
    isTextOrNull(row.value)
  )
}

const isTextOrNull = (value: unknown): boolean => value === null || typeof value === 'string'

/** The operation of a row. Throws `WrongContentError` if the row is not what was written. */
export function opByStoredRow(row: StoredOpRow): TreeOperation {
  const problem = problemOfRow(row)
  if (problem === undefined) return opByRow(row)
  throw new WrongContentError(`operation ${row.seq}: ${problem}`)
}

function opByRow(row: TreeOpRow): TreeOperation {
  const { clock, peerId, treeId, spaceId, targetId } = row
  if (row.key === null) return { clock, peerId, treeId, spaceId, targetId, parentId: row.parentId }
  if (row.value === null) return { clock, peerId, treeId, spaceId, targetId, key: row.key }
  const value: JsonValue = JSON.parse(row.value)
  return { clock, peerId, treeId, spaceId, targetId, key: row.key, value }
}
