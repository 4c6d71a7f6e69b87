import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { type Epoch, epochSchema, randomHexId, type SpaceId } from '@t69/protocol'
import type Database from 'better-sqlite3'

import { openDatabase } from '../sqlite/database-files.ts'
import { migrate } from '../sqlite/migrate.ts'
import {
  asidePath,
  hasWal,
  removeAsides,
  setDatabaseAside,
  setWalAside,
  sizeOf,
  syncFolder,
} from '../sqlite/set-aside.ts'
import { isDamage } from '../sqlite/storage-failure.ts'
import { examineFile } from './examine-file.ts'
import { DamagedAgainError, onStorage } from './on-storage.ts'
import type { OpLog, OpLogs } from './op-log.ts'
import { spaceMigrations } from './space-schema.ts'
import { openSqliteOpLog } from './sqlite-op-log.ts'

export interface SqliteOpLogsOptions {
  /** Each space is `<dataDir>/<first two characters>/<space id>.db`. */
  readonly dataDir: string
  /** `full` (the default): a commit survives power loss. `normal`: it survives the process. */
  readonly synchronous?: 'full' | 'normal'
  /** Unix milliseconds, for `created_at` and the names of what is set aside. */
  readonly now?: () => number
  /** Which spaces have had a file, kept elsewhere: that one is gone cannot be told from what is left. */
  readonly known?: KnownSpaces
  /** Says what happened to which file, for whoever keeps the server. Default: nobody hears of it. */
  readonly warn?: (details: object, message: string) => void
}

export interface KnownSpaces {
  has(spaceId: SpaceId): boolean
  add(spaceId: SpaceId): void
}

/**
 * One SQLite file a space. A file that is damaged is set aside under a name that says so, and the space begins
 * a new log, which the devices fill again (docs/decisions/0007): never is anything deleted or written over.
 */
export function createSqliteOpLogs({
  dataDir,
  synchronous = 'full',
  now = Date.now,
  known,
  warn = () => {},
}: SqliteOpLogsOptions): OpLogs {
  const pathOf = (spaceId: SpaceId) => pathIn(dataDir, spaceId)
  /** Opened by this process before: a write-ahead log that is found now is its own. */
  const opened = new Set<SpaceId>()
  /** A log of theirs met damage. */
  const suspects = new Set<SpaceId>()
  const setAside = new Set<SpaceId>()

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

  /** Before SQLite may make a new file here, or throw away a write-ahead log whose database is gone. */
  function noticeLoss(spaceId: SpaceId, path: string): void {
    if (sizeOf(path) > 0) return
    if (known?.has(spaceId) === true) {
      warn(
        { spaceId, path },
        'the file of a space is missing or empty: a new log begins, which devices fill again',
      )
    }
    if (!hasWal(path)) return
    const aside = asidePath(path, 'stale', now())
    setWalAside(path, aside)
    warn({ spaceId, path, setAside: `${aside}-wal` }, 'a write-ahead log without its database is set aside')
  }

  /**
   * A space that has never had a file, and there is one: the accounts are older than the files, and whoever
   * names an id that they have forgotten, a member who was removed say, must not own what is in it.
   */
  function setUnknownAside(spaceId: SpaceId, path: string): void {
    if (sizeOf(path) === 0) return
    const aside = asidePath(path, 'unknown', now())
    setDatabaseAside(path, aside)
    const details = { spaceId, path, setAside: aside }
    warn(details, 'a file was there before its space and is set aside: a new log begins')
  }

  /** Finds out whether file and write-ahead log are whole and belong together, and sets aside what is not. */
  function mend(spaceId: SpaceId, path: string): void {
    const reason = examineFile(path)
    if (reason === undefined) return
    if (setAside.has(spaceId)) throw new DamagedAgainError(`it is damaged again: ${reason}`)
    if (hasWal(path)) {
      const aside = asidePath(path, 'stale', now())
      setWalAside(path, aside)
      if (examineFile(path) === undefined) {
        setAside.add(spaceId)
        const details = { spaceId, path, setAside: `${aside}-wal`, reason }
        warn(details, 'a write-ahead log does not belong to the file of a space and is set aside')
        return
      }
      // The two belong together after all: they are set aside together.
      renameSync(`${aside}-wal`, `${path}-wal`)
    }
    const aside = asidePath(path, 'corrupt', now())
    setDatabaseAside(path, aside)
    setAside.add(spaceId)
    const details = { spaceId, path, setAside: aside, reason }
    warn(details, 'the file of a space is damaged and set aside: a new log begins, which devices fill again')
  }

  return {
    open: (spaceId, epoch) => {
      const path = pathOf(spaceId)
      return onStorage(path, () => {
        makeFolder(dirname(path))
        noticeLoss(spaceId, path)
        if (known?.has(spaceId) === false) {
          setUnknownAside(spaceId, path)
          known.add(spaceId)
        }
        const isLeftOver = !opened.has(spaceId) && hasWal(path)
        if (sizeOf(path) > 0 && (suspects.has(spaceId) || isLeftOver)) mend(spaceId, path)
        let log: OpLog
        try {
          log = openFile(spaceId, epoch)
        } catch (error) {
          if (!isDamage(error)) throw error
          mend(spaceId, path)
          log = openFile(spaceId, epoch)
        }
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
        // The database last: a log left over from it would be replayed into a new file of its name.
        for (const suffix of ['-wal', '-shm', '']) rmSync(path + suffix, { force: true })
        removeAsides(path)
      })
      opened.delete(spaceId)
      suspects.delete(spaceId)
      setAside.delete(spaceId)
    },
  }
}

/**
 * A space's log as another thread reads it while the space is open: nothing is made, migrated or mended.
 * `damaged` is called when what the file holds turns out to be wrong. Throws `storage_failed`.
 */
export function openLogToRead(dataDir: string, spaceId: SpaceId, damaged: () => void): OpLog {
  const path = pathIn(dataDir, spaceId)
  const open = (): OpLog => {
    // Where its folder is gone, SQLite's own complaint would look like a bug.
    statSync(path)
    const { db, files } = openDatabase(path, () => {}, { readonly: true })
    try {
      // Whoever may not write has no epoch of their own.
      const epoch = epochSchema.parse(randomHexId())
      return openSqliteOpLog(db, { spaceId, epoch, files, now: Date.now, damaged, displaced: () => {} })
    } catch (error) {
      db.close()
      throw error
    }
  }
  return onStorage(path, open, damaged)
}

function pathIn(dataDir: string, spaceId: SpaceId): string {
  return join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
}

function configure(db: Database.Database, synchronous: 'full' | 'normal'): void {
  db.pragma('journal_mode = wal')
  db.pragma(`synchronous = ${synchronous}`)
  db.pragma('foreign_keys = on')
  // KiB, at most, in each open file. Catching up reads forward once and lookups touch the index's end.
  db.pragma('cache_size = -1024')
  // A large import grows the write-ahead log; it is cut back to 4 MiB at the next checkpoint.
  db.pragma(`journal_size_limit = ${4 * 1024 * 1024}`)
}

function makeFolder(path: string): void {
  const made = mkdirSync(path, { recursive: true })
  if (made === undefined) return
  // SQLite syncs the folder that a file is made in, not the one that the folder is made in.
  syncFolder(dirname(made))
}
