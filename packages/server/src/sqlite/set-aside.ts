import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'

/**
 * Files that are not used and not deleted either, beside the one that they were: `<id>.db.corrupt-<time>` for
 * a database that is damaged, with its write-ahead log if it has one, so that SQLite still opens the two
 * together; `<id>.db.stale-<time>-wal` for a write-ahead log that does not belong to the database beside it;
 * `<id>.db.unknown-<time>` for the file of a space that the accounts have forgotten.
 */
const asideKinds = ['corrupt', 'stale', 'unknown'] as const
export type AsideKind = (typeof asideKinds)[number]

export function asidePath(path: string, kind: AsideKind, now: number): string {
  return `${path}.${kind}-${new Date(now).toISOString().replaceAll(':', '-')}`
}

/** Whether the write-ahead log of the database at `path` holds anything: it does after a crash, only. */
export function hasWal(path: string): boolean {
  return sizeOf(`${path}-wal`) > 0
}

/** 0 for a file that is not there. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** Renames, durably. A shared-memory file is an index that SQLite makes anew, and a stale one would mislead it. */
export function setWalAside(path: string, aside: string): void {
  rmSync(`${path}-shm`, { force: true })
  renameSync(`${path}-wal`, `${aside}-wal`)
  syncFolder(dirname(path))
}

export function setDatabaseAside(path: string, aside: string): void {
  rmSync(`${path}-shm`, { force: true })
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`)
  renameSync(path, aside)
  syncFolder(dirname(path))
}

/** For a space that is deleted with all that is left of it. */
export function removeAsides(path: string): void {
  const folder = dirname(path)
  if (!existsSync(folder)) return
  const names = asideKinds.map((kind) => `${basename(path)}.${kind}-`)
  for (const file of readdirSync(folder)) {
    if (names.some((name) => file.startsWith(name))) rmSync(join(folder, file), { force: true })
  }
}

/** SQLite syncs the folder of a file that it makes; what we make or rename is ours to sync. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
