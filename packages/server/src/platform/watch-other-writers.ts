import type { Logger } from '../spaces/logger.ts'
import type { ServerRuntime } from '../spaces/server-runtime.ts'
import type { Platform } from './platform.ts'

const intervalMs = 1_000

/**
 * Calls back within a second of another process's write to the database: an operator who shuts somebody out
 * deletes rows by hand, and whoever only listens asks for nothing that could be refused. Returns what stops it.
 */
export function watchOtherWriters(
  deps: {
    readonly platform: Pick<Platform, 'changedByOthers'>
    readonly runtime: ServerRuntime
    readonly logger: Logger
  },
  onWrite: () => void,
): () => void {
  const { platform, runtime, logger } = deps
  let cancel = runtime.setTimer(look, intervalMs)
  return () => cancel()

  function look(): void {
    try {
      if (platform.changedByOthers()) onWrite()
    } catch (error) {
      logger.error({ err: error }, 'the platform database cannot be read')
    }
    cancel = runtime.setTimer(look, intervalMs)
  }
}
