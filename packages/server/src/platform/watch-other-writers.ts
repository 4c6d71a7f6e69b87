import type { Logger } from '../ports/logger.ts'
import type { ServerRuntime } from '../ports/server-runtime.ts'
import { StorageFailure } from '../sqlite/storage-failure.ts'
import { DataDirLockedError } from './data-dir-lock.ts'
import type { Platform } from './platform.ts'

/** How often the database is checked, in ms. */
const intervalMs = 1_000

export interface OtherWriters {
  /** Another process has written to the database. */
  readonly wrote: () => void
  /**
   * The database was replaced, moved or removed, or has to be opened anew, or the directory is another server's. It is not
   * checked any more.
   */
  readonly displaced: (error: StorageFailure | DataDirLockedError) => void
}

/**
 * Calls back within a second of another process's write to the database. An operator who locks a user out deletes rows
 * by hand, and a client that only listens sends no request that could be refused. The returned function stops it.
 */
export function watchOtherWriters(
  deps: {
    readonly platform: Pick<Platform, 'changedByOthers' | 'checkPlace'>
    readonly runtime: ServerRuntime
    readonly logger: Logger
  },
  { wrote, displaced }: OtherWriters,
): () => void {
  const { platform, runtime, logger } = deps
  let cancel = runtime.setTimer(look, intervalMs)
  return () => cancel()

  function look(): void {
    try {
      platform.checkPlace()
      if (platform.changedByOthers()) wrote()
    } catch (error) {
      if (error instanceof StorageFailure || error instanceof DataDirLockedError) return displaced(error)
      logger.error({ err: error }, 'the platform database cannot be read')
    }
    cancel = runtime.setTimer(look, intervalMs)
  }
}
