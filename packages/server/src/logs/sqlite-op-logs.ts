import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

import type { Epoch, SpaceId } from '@t69/protocol'
import type Database from 'better-sqlite3'

import { openDatabase, type OpenedDatabase } from '../sqlite/database-files.ts'
import { isAtVersion, migrate } from '../sqlite/migrate.ts'
import { openCopy } from '../sqlite/open-copy.ts'
import { hasWal, removeAsides, sizeOf, syncFolder } from '../sqlite/set-aside.ts'
import { isDamage, isUnwritable } from '../sqlite/storage-failure.ts'
import { isWronglyReadOnly } from '../sqlite/wrongly-read-only.ts'
import { makeSpaceFile, unfinished } from './make-space-file.ts'
import type { Settling } from './next-segment.ts'
import { isOfTheMedium, onStorage } from './on-storage.ts'
import type { OpLog, OpLogs } from './op-log.ts'
import { createOpenSegments } from './open-segments.ts'
import { createSpaceFileMender, type KnownSpaces } from './space-file-mender.ts'
import { pathOfDeletion, pathOfSpace } from './space-path.ts'
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
  /** For tests. Default: some hundreds stay rows, and some thousands settle at once. */
  readonly settling?: Settling
}

/**
 * One SQLite file a space. A damaged file is set aside under a name that says so, and the space begins a new log,
 * which the devices fill again (docs/decisions/0007). Nothing is overwritten, and what was set
 * aside is kept for a long time (`KEEP_SET_ASIDE`).
 */
export function createSqliteOpLogs({
  dataDir,
  synchronous = 'full',
  now = Date.now,
  known,
  warn = () => {},
  settling,
}: SqliteOpLogsOptions): OpLogs {
  const pathOf = (spaceId: SpaceId) => pathOfSpace(dataDir, spaceId)
  const openSegments = createOpenSegments()
  const mender = createSpaceFileMender({ known, now, warn })
  /** Spaces that this process has opened: a write-ahead log that is found beside one of them is its own. */
  const opened = new Set<SpaceId>()
  /** Spaces whose log met damage: they are examined when they are opened next. */
  const suspects = new Set<SpaceId>()
  /** Spaces whose file could not be opened: whoever opens them next is told so, and gets no copy of it. */
  const unopened = new Set<SpaceId>()

  function openFile(spaceId: SpaceId, epoch: Epoch, isAlone = false): OpLog {
    const database = openDatabase(pathOf(spaceId), (opening) => {
      if (isAlone) opening.pragma('locking_mode = exclusive')
      configure(opening, synchronous)
      migrate(opening, spaceMigrations)
    })
    return openLog(database, spaceId, epoch)
  }

  function openLog({ db, files }: OpenedDatabase, spaceId: SpaceId, epoch: Epoch): OpLog {
    try {
      const log = openSqliteOpLog(db, {
        spaceId,
        path: pathOf(spaceId),
        epoch,
        files,
        now,
        damaged: () => suspects.add(spaceId),
        displaced: () => opened.delete(spaceId),
        segments: openSegments.of(),
        settling,
      })
      files.noteContent()
      return log
    } catch (error) {
      db.close()
      throw error
    }
  }

  /** A log in a copy of its file. Undefined where the file itself has to be opened, which also says what is wrong with it. */
  function openToRead(spaceId: SpaceId, epoch: Epoch): OpLog | undefined {
    let copy: OpenedDatabase | undefined
    try {
      copy = openCopy(pathOf(spaceId))
      if (copy === undefined) return undefined
      if (isAtVersion(copy.db, spaceMigrations)) {
        const log = openLog(copy, spaceId, epoch)
        if (!isForeign(spaceId, log)) {
          if (known?.has(spaceId) === false) known.add(spaceId)
          return log
        }
      }
      copy.files.close()
    } catch (error) {
      copy?.files.close()
      if (!isOfTheMedium(error)) throw error
    }
    return undefined
  }

  /**
   * On a full disk there is no room for the index that connections share. A connection that locks the file for itself has
   * its own in memory, so that people can read. Trees cannot be read beside it. The first that is asked for, and every
   * push that fails, releases the space, which is opened anew at its next use.
   */
  function openUnwritable(spaceId: SpaceId, epoch: Epoch, reason: Error): OpLog {
    try {
      return openFile(spaceId, epoch, true)
    } catch {
      throw reason
    }
  }

  function openOrMend(spaceId: SpaceId, epoch: Epoch, path: string): OpLog {
    try {
      return openFile(spaceId, epoch)
    } catch (error) {
      const isWrong = isDamage(error) || isWronglyReadOnly(error, path)
      if (!isWrong && isUnwritable(error)) return openUnwritable(spaceId, epoch, error)
      if (!isWrong) throw error
      mender.mend(spaceId, path)
      return openFile(spaceId, epoch)
    }
  }

  /**
   * Whether the file is that of another space. The accounts may be older than the files: anyone may register an id that
   * the accounts have forgotten, a removed member say, and must not own what is in the file. It is the space's own if
   * the space was registered again with its identity.
   */
  function isForeign(spaceId: SpaceId, { access }: OpLog): boolean {
    if (known === undefined) return false
    return access === undefined ? !known.has(spaceId) : access.identity !== known.identityOf(spaceId)
  }

  return {
    open: (spaceId, epoch, { toRead = false } = {}) => {
      const path = pathOf(spaceId)
      return onStorage(path, () => {
        const isNew = sizeOf(path) === 0
        const mayCopy = toRead && !isNew && !suspects.has(spaceId) && !unopened.has(spaceId)
        const copied = mayCopy ? openToRead(spaceId, epoch) : undefined
        if (copied !== undefined) return copied
        unopened.add(spaceId)
        if (isNew) makeFolder(dirname(path))
        mender.beforeOpening(spaceId, path)
        const isLeftOver = !opened.has(spaceId) && hasWal(path)
        if (isNew) makeSpaceFile(path, { spaceId, now: now() })
        if (!isNew && (suspects.has(spaceId) || isLeftOver)) mender.mend(spaceId, path)
        let log = openOrMend(spaceId, epoch, path)
        if (!isNew && isForeign(spaceId, log)) {
          log.close()
          mender.setForeignAside(spaceId, path)
          log = openFile(spaceId, epoch)
        }
        if (known?.has(spaceId) === false) known.add(spaceId)
        suspects.delete(spaceId)
        unopened.delete(spaceId)
        opened.add(spaceId)
        return log
      })
    },
    bytesOf: (spaceId) => {
      const path = pathOf(spaceId)
      return onStorage(path, () => sizeOf(path) + sizeOf(`${path}-wal`))
    },
    suspect: (spaceId) => void suspects.add(spaceId),
    wasDeleted: (spaceId) => existsSync(pathOfDeletion(dataDir, spaceId)),
    delete: (spaceId) => {
      const path = pathOf(spaceId)
      onStorage(path, () => {
        makeFolder(dirname(path))
        writeFileSync(pathOfDeletion(dataDir, spaceId), '')
        syncFolder(dirname(path))
        // The database last: a write-ahead log without it would be replayed into a new file of its name.
        for (const suffix of [unfinished, '-wal', '-shm', '']) rmSync(path + suffix, { force: true })
        removeAsides(path)
      })
      opened.delete(spaceId)
      suspects.delete(spaceId)
      unopened.delete(spaceId)
      mender.forget(spaceId)
    },
  }
}

function configure(db: Database.Database, synchronous: 'full' | 'normal'): void {
  // Together: every file is opened with them, and each call costs something.
  db.exec(`
    pragma journal_mode = wal;
    pragma synchronous = ${synchronous};
    -- "vacuum" needs room for a copy. There may be no folder that a container may write to.
    pragma temp_store = memory;
    -- At most 1024 KiB in each open file: catching up reads forward once, and look-ups touch the end of the index.
    pragma cache_size = -1024;
    -- A large import grows the write-ahead log. The next checkpoint cuts it back to 4 MiB.
    pragma journal_size_limit = ${4 * 1024 * 1024};
  `)
}

function makeFolder(path: string): void {
  const made = mkdirSync(path, { recursive: true })
  if (made === undefined) return
  // SQLite syncs the folder of a file that it makes, but not the parent of that folder.
  syncFolder(dirname(made))
}
