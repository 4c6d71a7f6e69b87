import { damageIn } from '../sqlite/damage.ts'
import { setStaleWalAside, sizeOf } from '../sqlite/set-aside.ts'
import { endedInOrder } from './end-mark.ts'

/** `platform.sqlite` is damaged. */
export class DamagedPlatformError extends Error {
  override readonly name = 'DamagedPlatformError'
}

/**
 * Examines the database before SQLite replays a write-ahead log beside it. The log that a crash left does not belong to
 * an older copy that was restored since: together they would give a state that never was. Such a log is set aside;
 * returns its new path. Throws `DamagedPlatformError` rather than start over with no accounts, since no device could
 * restore them. A database that was closed in order is not read.
 */
export function mendPlatform(path: string, now: number): string | undefined {
  if (endedInOrder(path)) return undefined
  const damage = damageOf(path)
  if (damage === undefined) return undefined
  const aside = setStaleWalAside(path, now, damageOf)
  if (aside !== undefined) return aside
  throw new DamagedPlatformError(`${path} is damaged (${damage}): restore it from a backup`)
}

/** An empty file is as good as none. */
function damageOf(path: string): string | undefined {
  return sizeOf(path) === 0 ? undefined : damageIn(path)
}
