import { nullVertexId, SyncError, type TreeId, type UserId } from '@t69/protocol'
import Database from 'better-sqlite3'

import { createQueries } from '../sqlite/query.ts'
import { sizeOf } from '../sqlite/set-aside.ts'
import { readCommits } from './commit-rows.ts'
import { knownVersion } from './examine-file.ts'
import { hasSettledTables } from './settled-queries.ts'
import type { SpaceSchema } from './space-schema.ts'
import { storedOpsIn } from './stored-ops.ts'

/** What is in the file of a space. Sizes are bytes, times are Unix milliseconds. */
export interface FileContent {
  readonly version: number
  readonly createdAt: number
  readonly logId: string
  /** Null until the file is opened for the first time since there are identities. */
  readonly identity: string | null
  readonly bytes: number
  readonly walBytes: number
  /** Of `bytes`, what is not in use. */
  readonly freeBytes: number
  readonly operations: number
  /** Those with the most operations first. */
  readonly trees: readonly TreeContent[]
  /** Settled operations. `bytes` is what they take when they are unpacked. */
  readonly segments: { count: number; operations: number; bytes: number; packedBytes: number }
  /** The processes that committed, the oldest first. */
  readonly epochs: readonly { readonly epoch: string; readonly operations: number }[]
  /** Who committed how much. `userId` is null for what was committed before that was kept, or where damage garbles it. */
  readonly commits: readonly CommittedBy[]
}

interface TreeContent {
  readonly treeId: TreeId
  operations: number
  moves: number
  deletes: number
  properties: number
  /** The highest. */
  clock: number
}

interface CommittedBy {
  readonly userId: UserId | null
  operations: number
  readonly firstAt: number | null
  lastAt: number | null
}

const query = createQueries<SpaceSchema>()
const spaceRows = query((q) => q.selectFrom('spaces').select(['created_at', 'log_id', 'identity']))
const segmentRows = query((q) =>
  q.selectFrom('segments').select(['after', 'cursor', 'bytes', 'page']).orderBy('after'),
)
const epochRows = query((q) => q.selectFrom('epochs').selectAll().orderBy('after'))
const commitRows = query((q) => q.selectFrom('commits').selectAll().orderBy('after'))
const lastRow = query((q) => q.selectFrom('tree_ops').select((ops) => ops.fn.max<number>('seq').as('seq')))

/** How often `progress` is called: after so many operations. */
const progressStep = 1_000

/**
 * Reads every operation of a file that is sound, as it is at one moment. Only reads; a server may have the file open. `progress` is
 * told how many operations of how many were read. Throws `SyncError` `unsupported_version` for a file of another version than this
 * program makes, and what SQLite throws.
 */
export function inspectFile(
  path: string,
  progress: (done: number, total: number) => void = () => {},
): FileContent {
  const db = new Database(path, { readonly: true, fileMustExist: true })
  try {
    db.exec('begin')
    const version = Number(db.pragma('user_version', { simple: true }))
    if (version !== knownVersion) {
      const which = version > knownVersion ? 'a newer t69' : 'an older t69, until somebody opens the space'
      throw new SyncError('unsupported_version', `the file is of ${which}: it has version ${version}`)
    }
    const segments = segmentsOf(db)
    const total = lastRow(db).get({})?.seq ?? segments.operations
    const [space] = spaceRows(db).all({})
    if (space === undefined) throw new SyncError('not_found', 'the file does not say which space it is of')
    const pageBytes = Number(db.pragma('page_size', { simple: true }))
    return {
      version,
      createdAt: space.created_at,
      logId: space.log_id,
      identity: space.identity,
      bytes: sizeOf(path),
      walBytes: sizeOf(`${path}-wal`),
      freeBytes: Number(db.pragma('freelist_count', { simple: true })) * pageBytes,
      operations: total,
      trees: treesOf(db, (done) => progress(done, total)),
      segments,
      epochs: rangesOf(epochRows(db).all({}), total).map(({ row, operations }) => ({
        epoch: row.epoch,
        operations,
      })),
      commits: commitsOf(db, total),
    }
  } finally {
    db.close()
  }
}

function segmentsOf(db: Database.Database): FileContent['segments'] {
  const found = { count: 0, operations: 0, bytes: 0, packedBytes: 0 }
  if (!hasSettledTables(db)) return found
  for (const { after, cursor, bytes, page } of segmentRows(db).iterate({})) {
    found.count++
    found.operations += cursor - after
    found.bytes += bytes
    found.packedBytes += page.length
  }
  return found
}

function treesOf(db: Database.Database, progress: (done: number) => void): TreeContent[] {
  const trees = new Map<TreeId, TreeContent>()
  let done = 0
  for (const { op } of storedOpsIn(db)) {
    const { treeId } = op
    const tree = trees.get(treeId) ?? { treeId, operations: 0, moves: 0, deletes: 0, properties: 0, clock: 0 }
    trees.set(treeId, tree)
    tree.operations++
    tree.clock = Math.max(tree.clock, op.clock)
    if (op.key !== undefined) tree.properties++
    else if (op.parentId === nullVertexId) tree.deletes++
    else tree.moves++
    if (++done % progressStep === 0) progress(done)
  }
  progress(done)
  return [...trees.values()].sort((a, b) => b.operations - a.operations)
}

/** How many operations each row is about: those after its position, up to the next row's. */
function rangesOf<Row extends { readonly after: number }>(
  rows: readonly Row[],
  head: number,
): { readonly row: Row; readonly operations: number }[] {
  return rows.map((row, index) => ({ row, operations: (rows[index + 1]?.after ?? head) - row.after }))
}

function commitsOf(db: Database.Database, head: number): CommittedBy[] {
  const byUser = new Map<UserId | null, CommittedBy>()
  const commits = readCommits(commitRows(db).all({}), { after: 0, cursor: head }, Infinity)
  for (const { row, operations } of rangesOf(commits, head)) {
    const { userId } = row
    const at = userId === null ? null : row.at
    const found = byUser.get(userId) ?? { userId, operations: 0, firstAt: at, lastAt: at }
    byUser.set(userId, found)
    found.operations += operations
    found.lastAt = at
  }
  return [...byUser.values()].sort(
    (a, b) => Number(a.userId === null) - Number(b.userId === null) || b.operations - a.operations,
  )
}
