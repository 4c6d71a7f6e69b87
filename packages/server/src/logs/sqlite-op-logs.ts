import { mkdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'

import type { Epoch, SpaceId } from '@t69/protocol'
import type Database from 'better-sqlite3'

import { openDatabase } from '../sqlite/database-files.ts'
import { migrate } from '../sqlite/migrate.ts'
import { hasWal, removeAsides, sizeOf, syncFolder } from '../sqlite/set-aside.ts'
import { isDamage } from '../sqlite/storage-failure.ts'
import { onStorage } from './on-storage.ts'
import type { OpLog, OpLogs } from './op-log.ts'
import { createSpaceFileMender, type KnownSpaces } from './space-file-mender.ts'
import { pathOfSpace } from './space-path.ts'
import { spaceMigrations } from './space-schema.ts'
import { openSqliteOpLog } from './sqlite-op-log.ts'

export interface SqliteOpLogsOptions {
  /** Each space is `<dataDir>/<first two characters>/<space id>.db`. */
  readonly dataDir: string
  /** `full` (the default): a commit survives power loss. `normal`: it survives the process. */
  readonly synchronous?: 'full' | 'normal'
  /** Unix milliseconds, for `created_at` and the names of files that are set aside. */
  readonly now?: () => number
  /** Default: a missing file and a forgotten one go unnoticed. */
  readonly known?: KnownSpaces
  /** Tells the operator what happened to which file. Default: nobody is told. */
  readonly warn?: (details: object, message: string) => void
}

/**
 * One SQLite file a space. A damaged file is set aside under a name that says so, and the space begins a new log,
 * which the devices fill again (docs/decisions/0007). Nothing is ever deleted or overwritten.
 */
export function createSqliteOpLogs({
  dataDir,
  synchronous = 'full',
  now = Date.now,
  known,
  warn = () => {},
}: SqliteOpLogsOptions): OpLogs {
  const pathOf = (spaceId: SpaceId) => pathOfSpace(dataDir, spaceId)
  const mender = createSpaceFileMender({ known, now, warn })
  /** Spaces that this process has opened: a write-ahead log that is found beside one of them is its own. */
  const opened = new Set<SpaceId>()
  /** Spaces whose log met damage: they are examined when they are opened next. */
  const suspects = new Set<SpaceId>()

  function openFile(spaceId: SpaceId, epoch: Epoch): OpLog {
    const { db, files } = openDatabase(pathOf(spaceId), (opening) => {
      configure(opening, synchronous)
      migrate(opening, spaceMigrations)
    })
    try {
      const log = openSqliteOpLog(db, {
        spaceId,
        epoch,
        files,
        now,
        damaged: () => suspects.add(spaceId),
        displaced: () => opened.delete(spaceId),
      })
      files.noteContent()
      return log
    } catch (error) {
      db.close()
      throw error
    }
  }

  function openOrMend(spaceId: SpaceId, epoch: Epoch, path: string): OpLog {
    try {
      return openFile(spaceId, epoch)
    } catch (error) {
      if (!isDamage(error)) throw error
      mender.mend(spaceId, path)
      return openFile(spaceId, epoch)
    }
  }

  return {
    open: (spaceId, epoch) => {
      const path = pathOf(spaceId)
      return onStorage(path, () => {
        makeFolder(dirname(path))
        mender.beforeOpening(spaceId, path)
        const isLeftOver = !opened.has(spaceId) && hasWal(path)
        if (sizeOf(path) > 0 && (suspects.has(spaceId) || isLeftOver)) mender.mend(spaceId, path)
        const log = openOrMend(spaceId, epoch, path)
        suspects.delete(spaceId)
        opened.add(spaceId)
        return log
      })
    },
    bytesOf: (spaceId) => {
      const path = pathOf(spaceId)
      return onStorage(path, () => sizeOf(path) + sizeOf(`${path}-wal`))
    },
    suspect: (spaceId) => void suspects.add(spaceId),
    delete: (spaceId) => {
      const path = pathOf(spaceId)
      onStorage(path, () => {
        // The database last: a write-ahead log without it would be replayed into a new file of its name.
        for (const suffix of ['-wal', '-shm', '']) rmSync(path + suffix, { force: true })
        removeAsides(path)
      })
      opened.delete(spaceId)
      suspects.delete(spaceId)
      mender.forget(spaceId)
    },
  }
}

function configure(db: Database.Database, synchronous: 'full' | 'normal'): void {
  db.pragma('journal_mode = wal')
  db.pragma(`synchronous = ${synchronous}`)
  db.pragma('foreign_keys = on')
  // At most 1024 KiB in each open file: catching up reads forward once, and look-ups touch the end of the index.
  db.pragma('cache_size = -1024')
  // A large import grows the write-ahead log. The next checkpoint cuts it back to 4 MiB.
  db.pragma(`journal_size_limit = ${4 * 1024 * 1024}`)
}

function makeFolder(path: string): void {
  const made = mkdirSync(path, { recursive: true })
  if (made === undefined) return
  // SQLite syncs the folder of a file that it makes, but not the parent of that folder.
  syncFolder(dirname(made))
}
