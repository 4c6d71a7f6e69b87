import { readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'

import { hasWal } from '../sqlite/set-aside.ts'

/**
 * `platform.sqlite.closed` says that the database beside it was closed in order, and which file that was: its inode, size
 * and time. Checking the whole database takes as long as reading it, so a start does so only where the mark does not
 * fit: after a crash, and for a file that was restored or changed since.
 */
const markOf = (path: string): string => `${path}.closed`

/** Whether the database is as `markEnd` left it. */
export function endedInOrder(path: string): boolean {
  if (hasWal(path)) return false
  try {
    return readFileSync(markOf(path), 'utf8') === nameOf(path)
  } catch {
    return false
  }
}

/** The database is about to be used. Throws what the file system throws. */
export function removeEndMark(path: string): void {
  try {
    // Not `rmSync`, whose error on a read-only disk has no code.
    unlinkSync(markOf(path))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}

/** The database was closed, and is still at its path. Without the mark, the next start only takes longer. */
export function markEnd(path: string): void {
  try {
    if (!hasWal(path)) writeFileSync(markOf(path), nameOf(path), { mode: 0o600 })
  } catch {
    // The disk is full, or the file is gone.
  }
}

function nameOf(path: string): string {
  const { ino, size, mtimeNs } = statSync(path, { bigint: true })
  return `${ino} ${size} ${mtimeNs}\n`
}
