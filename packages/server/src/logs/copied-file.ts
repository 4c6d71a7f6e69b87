import { mkdirSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'

import { type SpaceId, type SpaceIdentity, SyncError } from '@t69/protocol'
import Database from 'better-sqlite3'
import { sql } from 'kysely'

import { setJournalMode } from '../sqlite/journal-mode.ts'
import { createQueries } from '../sqlite/query.ts'
import { syncFolder } from '../sqlite/set-aside.ts'
import { isDamage } from '../sqlite/storage-failure.ts'
import { examineDatabase, knownVersion } from './examine-file.ts'
import { hasSettledTables } from './settled-queries.ts'
import type { SpaceSchema } from './space-schema.ts'

/** The version since which a file says whose log it is. */
const identityVersion = 3

const query = createQueries<SpaceSchema>()
const spaceRows = query((q) => q.selectFrom('spaces').select('id'))
const identities = query((q) => q.selectFrom('spaces').select('identity'))
const lastRow = query((q) => q.selectFrom('tree_ops').select((ops) => ops.fn.max<number>('seq').as('seq')))
const lastSegment = query((q) =>
  q.selectFrom('segments').select((segments) => segments.fn.max<number>('cursor').as('cursor')),
)
const otherThings = query((q) =>
  q
    .selectFrom(sql<{ type: string; name: string }>`sqlite_schema`.as('things'))
    .select('name')
    .where('type', 'not in', [sql.lit('table'), sql.lit('index')]),
)

/** What a copy says of itself. */
export interface CopiedFile {
  readonly spaceId: SpaceId
  /** Undefined in a file that nobody has opened since spaces have identities. */
  readonly identity: SpaceIdentity | undefined
  /** Operations. */
  readonly head: number
}

/**
 * The file of a space as it is at one moment, with what is in its write-ahead log, in one piece. Only reads; a server may have the
 * file open. Takes as much memory as the file has bytes. Throws what SQLite throws.
 */
export function copyFile(path: string): Buffer {
  const db = new Database(path, { readonly: true, fileMustExist: true })
  try {
    // Nothing changes under a transaction that has begun to read.
    db.exec('begin')
    db.pragma('user_version')
    const bytes = db.serialize()
    setJournalMode(bytes, 'rollback')
    return bytes
  } finally {
    db.close()
  }
}

/** Reads all of a copy. Throws `SyncError` for one that is damaged, that a newer program made, or that is no file of a space. */
export function readCopiedFile(bytes: Buffer): CopiedFile {
  let db: Database.Database | undefined
  try {
    db = new Database(bytes, { readonly: true })
    const version = Number(db.pragma('user_version', { simple: true }))
    if (version > knownVersion) throw newer()
    const damage = examineDatabase(db)
    if (damage !== undefined) throw damaged(damage)
    // Nobody's file has code in it that would run as it is written to.
    const [other] = otherThings(db).all({})
    if (other !== undefined) throw damaged(`it has ${other.name}, which no file of a space has`)
    const rows = version === 0 ? [] : spaceRows(db).all({})
    const [space] = rows
    if (space === undefined || rows.length !== 1) throw damaged('it does not say which space it is of')
    const [known] = version < identityVersion ? [] : identities(db).all({})
    const settled = hasSettledTables(db) ? (lastSegment(db).get({})?.cursor ?? 0) : 0
    return {
      spaceId: space.id,
      identity: known?.identity ?? undefined,
      head: lastRow(db).get({})?.seq ?? settled,
    }
  } catch (error) {
    if (error instanceof Error && isDamage(error)) throw damaged(error.message)
    throw error
  } finally {
    db?.close()
  }
}

const damaged = (reason: string): SyncError =>
  new SyncError('invalid_request', `the log of the space is damaged: ${reason}`)

export const newer = (): SyncError =>
  new SyncError('unsupported_version', 'it is of a newer t69 than this one: update the server first')

/** Moves a complete file to the place of a space's file, durably. The caller knows that there is none. */
export function placeFile(from: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  renameSync(from, path)
  syncFolder(dirname(path))
  // The folder of a space's file may be new.
  syncFolder(dirname(dirname(path)))
}
