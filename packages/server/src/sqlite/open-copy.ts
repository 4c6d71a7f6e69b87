import { closeSync, openSync, readSync, statSync } from 'node:fs'

import Database from 'better-sqlite3'

import { type DatabaseFiles, DisplacedFileError, type OpenedDatabase } from './database-files.ts'
import { setJournalMode } from './journal-mode.ts'
import { hasWal, isOpen, sizeOf } from './set-aside.ts'

/**
 * The largest file that is read as a whole, in bytes. A copy of that size takes about as much memory as SQLite does for a file
 * that it has open.
 */
const maxCopiedBytes = 256 * 1024

/** Descriptors that are still to be closed, with the paths of their files: see `closeUnlessOpen`. */
const unclosed = new Map<number, string>()

/** Files are read into the same place, from where SQLite copies them: a buffer for each would be garbage at once. */
let place: Buffer | undefined

/**
 * Reads a database that nobody has open for writing into memory, for whoever only reads it. SQLite makes two files beside each
 * that it opens, and removes them when it closes it: for a small one that takes several times as long as reading all of it.
 * Undefined if the file is large, if its content is not in it alone, or if somebody has it open. Throws what the file system and
 * better-sqlite3 throw.
 */
export function openCopy(path: string): OpenedDatabase | undefined {
  for (const [file, itsPath] of unclosed) closeUnlessOpen(file, itsPath)
  const before = contentOf(path)
  if (before === undefined || isOpen(path) || isSplit(path) || sizeOf(path) > maxCopiedBytes) return undefined
  const bytes = readSmall(path)
  // Nothing was written while it was read.
  if (bytes === undefined || contentOf(path) !== before || isSplit(path)) return undefined
  setJournalMode(bytes, 'rollback')
  const db = new Database(bytes, { readonly: true })

  function check(): void {
    if (contentOf(path) === before && !isSplit(path)) return
    throw new DisplacedFileError('it was replaced, or written to by another program, since it was read')
  }

  const close = (): void => void db.close()
  const files: DatabaseFiles = {
    bytes: bytes.length,
    checkPlace: check,
    // Whoever has written into the file has changed what `check` compares.
    isChanged: () => {
      check()
      return false
    },
    // Nothing is written.
    noteContent: () => {},
    noteCommit: () => {},
    close,
    abandon: close,
  }
  return { db, files }
}

/** All bytes of a file, until the next is read. Undefined for one that is large. */
function readSmall(path: string): Buffer | undefined {
  place ??= Buffer.allocUnsafeSlow(maxCopiedBytes + 1)
  const file = openSync(path, 'r')
  try {
    let end = 0
    for (let read = -1; read !== 0; end += read) read = readSync(file, place, end, place.length - end, end)
    return end > maxCopiedBytes ? undefined : place.subarray(0, end)
  } finally {
    closeUnlessOpen(file, path)
  }
}

/**
 * To close a file releases all locks that the process has on it, those of SQLite's connections too. Without them, another program
 * that closes the database takes itself for the last one, and removes the write-ahead log under whoever commits to it. So a file
 * that a thread has opened meanwhile is closed later.
 */
function closeUnlessOpen(file: number, path: string): void {
  if (isOpen(path)) {
    unclosed.set(file, path)
    return
  }
  unclosed.delete(file)
  closeSync(file)
}

/** Whether a journal beside the database has some of its content. */
function isSplit(path: string): boolean {
  return hasWal(path) || sizeOf(`${path}-journal`) > 0
}

/** Which file it is, and when it was written. */
function contentOf(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  return found && `${found.dev}:${found.ino}:${found.size}:${found.mtimeMs}`
}
