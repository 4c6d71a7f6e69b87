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
 * Why a file is set aside: kept under a new name beside its old one, and neither used nor deleted.
 * `<id>.db.corrupt-<time>` is a damaged database, with its write-ahead log if it has one, so that SQLite still opens
 * the two together. `<id>.db.stale-<time>-wal` is a write-ahead log that does not belong to the database beside it.
 * `<id>.db.unknown-<time>` is the file of a space that the accounts have forgotten.
 */
const asideKinds = ['corrupt', 'stale', 'unknown'] as const
export type AsideKind = (typeof asideKinds)[number]

/** The new name of a file at `path`. `now` is in Unix milliseconds. */
export function asidePath(path: string, kind: AsideKind, now: number): string {
  return `${path}.${kind}-${new Date(now).toISOString().replaceAll(':', '-')}`
}

/** Whether the database at `path` has a write-ahead log with content. A closed database has one only after a crash. */
export function hasWal(path: string): boolean {
  return sizeOf(`${path}-wal`) > 0
}

/** Whether SQLite has the database open: it makes the write-ahead log then, and the last one who closes it removes that. */
export function isOpen(path: string): boolean {
  return existsSync(`${path}-wal`)
}

/** Bytes of a file; 0 without one. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/**
 * Renames the write-ahead log, durably. Removes the shared-memory file, an index of it: SQLite makes a new one, and a
 * stale one would mislead it.
 */
export function setWalAside(path: string, aside: string): void {
  rmSync(`${path}-shm`, { force: true })
  renameSync(`${path}-wal`, `${aside}-wal`)
  syncFolder(dirname(path))
}

/**
 * Sets the write-ahead log at `path` aside if it does not belong to its database: if `damageOf` finds none without it.
 * Returns the log's new path. Undefined when there is no log, or when the database is damaged without it too: then the
 * two belong together, and stay as they were.
 */
export function setStaleWalAside(
  path: string,
  now: number,
  damageOf: (path: string) => string | undefined,
): string | undefined {
  if (!hasWal(path)) return undefined
  const aside = asidePath(path, 'stale', now)
  setWalAside(path, aside)
  if (damageOf(path) === undefined) return `${aside}-wal`
  renameSync(`${aside}-wal`, `${path}-wal`)
  return undefined
}

/** Renames a database with its write-ahead log, durably. */
export function setDatabaseAside(path: string, aside: string): void {
  rmSync(`${path}-shm`, { force: true })
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`)
  renameSync(path, aside)
  syncFolder(dirname(path))
}

/** Removes every file that was set aside from `path`, for a space that is deleted for good. */
export function removeAsides(path: string): void {
  const folder = dirname(path)
  if (!existsSync(folder)) return
  const names = asideKinds.map((kind) => `${basename(path)}.${kind}-`)
  for (const file of readdirSync(folder)) {
    if (names.some((name) => file.startsWith(name))) rmSync(join(folder, file), { force: true })
  }
}

/** Makes new names in a folder durable. SQLite does so for the files that it creates, and not for ours. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
