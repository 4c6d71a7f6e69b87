import type { Logger } from '../ports/logger.ts'
import type { ServerRuntime } from '../ports/server-runtime.ts'
import { StorageFailure } from '../sqlite/storage-failure.ts'
import type { Platform } from './platform.ts'

const intervalMs = 1_000

export interface OtherWriters {
  /** Somebody has written to the database. */
  readonly wrote: () => void
  /** Somebody has replaced, moved or removed it: it is not looked at any more. */
  readonly displaced: (error: StorageFailure) => void
}

/**
 * Calls back within a second of another process's write to the database: an operator who shuts somebody out
 * deletes rows by hand, and whoever only listens asks for nothing that could be refused. Returns what stops it.
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
      if (error instanceof StorageFailure) return displaced(error)
      logger.error({ err: error }, 'the platform database cannot be read')
    }
    cancel = runtime.setTimer(look, intervalMs)
  }
}
