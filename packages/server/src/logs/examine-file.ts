import { nullVertexId } from '@t69/protocol'
import type { Database } from 'better-sqlite3'
import { sql } from 'kysely'

import { damageIn, integrityOf } from '../sqlite/damage.ts'
import { createQueries, prepareAll } from '../sqlite/query.ts'
import { lastEpochOf, type StoredEpochRow } from './epoch-rows.ts'
import { problemOfRow } from './op-row.ts'
import { checkSegment, opsOf } from './segment.ts'
import { problemOfDelete } from './settled-deletes.ts'
import { countOfIds, problemOfIds } from './settled-ids.ts'
import { hasSettledTables, settledQueries } from './settled-queries.ts'
import { spaceQueries } from './space-queries.ts'
import { spaceMigrations, type SpaceSchema, type StoredOpRow } from './space-schema.ts'

const query = createQueries<SpaceSchema>()

const allRows = query((q) => q.selectFrom('tree_ops').selectAll().orderBy('seq'))
const allRowsBeforeChecksums = query((q) =>
  q
    .selectFrom('tree_ops')
    .select(['seq', 'clock', 'peerId', 'treeId', 'spaceId', 'targetId', 'parentId', 'key', 'value'])
    .select(sql<null>`null`.as('checksum'))
    .orderBy('seq'),
)
const allSegments = query((q) => q.selectFrom('segments').selectAll().orderBy('after'))
const allIds = query((q) => q.selectFrom('settled_ids').selectAll())
const countedTrees = query((q) =>
  q.selectFrom('settled_trees').select((trees) => trees.fn.sum<number>('ops').as('ops')),
)
const allDeletes = query((q) => q.selectFrom('settled_deletes').selectAll())
const countedDeletes = query((q) =>
  q.selectFrom('settled_trees').select((trees) => trees.fn.sum<number>('deletes').as('deletes')),
)
/** Before version 8 no row is marked as the last. The index has as many rows as the table. */
const lastByPosition = sql<number>`"after" = max("after") over ()`.as('is_last')
const allEpochsBeforeMarks = query((q) =>
  q.selectFrom('epochs').select(['epoch', 'after', 'checksum', lastByPosition]).orderBy('after'),
)
const allEpochsBeforeChecksums = query((q) =>
  q
    .selectFrom('epochs')
    .select(['epoch', 'after', sql<null>`null`.as('checksum'), lastByPosition])
    .orderBy('after'),
)
const lastCommit = query((q) =>
  q.selectFrom('commits').select('after').orderBy('after', 'desc').limit(sql.lit(1)),
)
const anyDeletion = query((q) =>
  q.selectFrom('tree_ops').select('seq').where('parentId', '=', sql.lit(nullVertexId)).limit(sql.lit(1)),
)
const pageCount = query((q) =>
  q
    .selectFrom(sql<{ pages: number }>`pragma_page_count()`.as('count'))
    .select(sql<number>`page_count`.as('pages')),
)
const tableCount = query((q) =>
  q.selectFrom(sql<{ name: string }>`sqlite_schema`.as('tables')).select(sql<number>`count(*)`.as('tables')),
)

/** The version of files that this program makes. */
export const knownVersion = Math.max(...Object.keys(spaceMigrations).map(Number))

/**
 * Says why a space's file, together with its write-ahead log, cannot be trusted; undefined for a sound one. Reads all
 * of it, about 1.5 µs an operation, and changes neither file: opened for reading, SQLite looks at the write-ahead log
 * and does not replay it. Throws what SQLite throws for a file that cannot be read at all.
 *
 * A log is only appended to, so a write-ahead log that belongs to a later state of the file shows: rows are missing,
 * or the index does not fit them. If neither is so, the two read as the file was at one moment or the other.
 */
export function examineFile(path: string): string | undefined {
  return damageIn(path, examineDatabase)
}

/** The same for a database that is open. Throws for damage that keeps SQLite from reading. */
export function examineDatabase(db: Database): string | undefined {
  const version = Number(db.pragma('user_version', { simple: true }))
  // Written by a newer program.
  if (version > knownVersion) return undefined
  if (version === 0) return damageOfNew(db)
  // A table or column of another name is no damage to SQLite, and makes a statement of ours fail.
  if (version === knownVersion) prepareAll(db, spaceQueries)
  if (version === knownVersion && hasSettledTables(db)) prepareAll(db, settledQueries)
  return integrityOf(db) ?? damageOfLog(db, version)
}

/** A file that is just being created has a header at most. Any other without a version was cut off. */
function damageOfNew(db: Database): string | undefined {
  const { pages = 0 } = pageCount(db).get({}) ?? {}
  const { tables = 0 } = tableCount(db).get({}) ?? {}
  return pages <= 1 && tables === 0 ? undefined : 'it has content and no version'
}

/** The versions since which a file says who committed its operations, and keeps some in segments. */
const commitsVersion = 4
const segmentsVersion = 5
/** The version since which epochs and deletes have checksums. */
const epochChecksumsVersion = 7
/** The version since which the last epoch is marked. */
const marksVersion = 8
/** The version since which the tables of settled operations are made with the first segment. */
const lazyVersion = 8
/** The version since which deletions have an index. */
const deletesIndexVersion = 2

function damageOfLog(db: Database, version: number): string | undefined {
  const hasSegments = version < lazyVersion ? version >= segmentsVersion : hasSettledTables(db)
  const settled = hasSegments ? readSettled(db) : 0
  if (typeof settled === 'string') return settled
  const deletes = hasSegments && version >= epochChecksumsVersion ? problemOfDeletes(db) : undefined
  if (deletes !== undefined) return deletes
  const head = readRows(version < segmentsVersion ? allRowsBeforeChecksums(db) : allRows(db), settled)
  if (typeof head === 'string') return head
  const isIndexed = spaceQueries.deletesIndex(db).get({}) !== undefined
  if (!isIndexed && version >= deletesIndexVersion && anyDeletion(db).get({}) !== undefined)
    return 'deletions have no index'
  lastEpochOf(epochsOf(db, version), head)
  const committed = version < commitsVersion ? undefined : lastCommit(db).get({})
  if (committed === undefined || committed.after < head) return undefined
  return `somebody committed after ${committed.after}, and the log ends at ${head}`
}

function epochsOf(db: Database, version: number): Iterable<StoredEpochRow> {
  if (version < epochChecksumsVersion) return allEpochsBeforeChecksums(db).iterate({})
  if (version < marksVersion) return allEpochsBeforeMarks(db).iterate({})
  return spaceQueries.epochs(db).iterate({})
}

/** Reads the rows, which follow position `after`. Returns the head, or what is wrong. */
function readRows(rows: ReturnType<typeof allRows>, after: number): number | string {
  let head = after
  let missing = 0
  for (const row of rows.iterate({})) {
    missing += Math.abs(row.seq - head - 1)
    head = row.seq
    const problem = problemOfValue(row) ?? problemOfRow(row)
    if (problem !== undefined) return `operation ${row.seq}: ${problem}`
  }
  return missing === 0 ? head : `${missing} of ${head} operations are missing`
}

function problemOfValue({ value }: StoredOpRow): string | undefined {
  try {
    if (value !== null) JSON.parse(value)
    return undefined
  } catch {
    return 'its value is not JSON'
  }
}

/** Reads the segments and what finds their operations. Returns the position after which rows begin, or what is wrong. */
function readSettled(db: Database): number | string {
  let end = 0
  for (const segment of allSegments(db).iterate({})) {
    const { after, cursor } = segment
    if (after !== end) return `a segment begins after ${after}, and the one before it ends at ${end}`
    checkSegment(segment)
    if (after + opsOf(segment).count !== cursor) return `the segment after ${after} does not end at ${cursor}`
    end = cursor
  }
  let ids = 0
  for (const row of allIds(db).iterate({})) {
    const problem = problemOfIds(row)
    if (problem !== undefined) return problem
    ids += countOfIds(row)
  }
  if (ids !== end) return `${end} operations are in segments, and the ids of ${ids}`
  const counted = countedTrees(db).get({})?.ops ?? 0
  return counted === end ? end : `${end} operations are in segments, and ${counted} of their trees`
}

/** What is wrong with the rows of what was deleted. */
function problemOfDeletes(db: Database): string | undefined {
  let rows = 0
  for (const row of allDeletes(db).iterate({})) {
    const problem = problemOfDelete(row)
    if (problem !== undefined) return problem
    rows++
  }
  const counted = countedDeletes(db).get({})?.deletes ?? 0
  return counted === rows ? undefined : `${rows} vertices are deleted, and ${counted} of their trees`
}
