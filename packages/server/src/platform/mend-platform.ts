import { renameSync } from 'node:fs'

import Sqlite from 'better-sqlite3'

import { asidePath, hasWal, setWalAside, sizeOf } from '../sqlite/set-aside.ts'
import { isDamage } from '../sqlite/storage-failure.ts'

/** `platform.sqlite` is damaged. */
export class DamagedPlatformError extends Error {
  override readonly name = 'DamagedPlatformError'
}

/**
 * Examines the database before SQLite replays a write-ahead log beside it. The log that a crash left does not belong to
 * an older copy that was restored since: together they would give a state that never was. Such a log is set aside;
 * returns its new path. Throws `DamagedPlatformError`: it does not start over with empty accounts, since no device could fill them.
 */
export function mendPlatform(path: string, now: number): string | undefined {
  const reason = damageOf(path)
  if (reason === undefined) return undefined
  if (hasWal(path)) {
    const aside = asidePath(path, 'stale', now)
    setWalAside(path, aside)
    if (damageOf(path) === undefined) return `${aside}-wal`
    // The two belong together after all.
    renameSync(`${aside}-wal`, `${path}-wal`)
  }
  throw new DamagedPlatformError(`${path} is damaged (${reason}): restore it from a backup`)
}

function damageOf(path: string): string | undefined {
  if (sizeOf(path) === 0) return undefined
  let db: Sqlite.Database | undefined
  try {
    db = new Sqlite(path, { readonly: true, fileMustExist: true })
    const verdict = String(db.pragma('integrity_check(1)', { simple: true }))
    return verdict === 'ok' ? undefined : verdict
  } catch (error) {
    if (isDamage(error)) return error.message
    throw error
  } finally {
    db?.close()
  }
}
