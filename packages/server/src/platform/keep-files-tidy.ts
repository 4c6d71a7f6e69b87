import type { Logger } from '../ports/logger.ts'
import type { ServerRuntime } from '../ports/server-runtime.ts'
import { type DataFiles, lookForFiles, removeSetAside, type SetAsideFile } from './data-files.ts'
import type { ServerClock } from './server-clock.ts'
import { settlingMs } from './server-clock.ts'

/** How often the files that were set aside are looked for, in ms. */
const intervalMs = 60 * 60 * 1000

export interface TidyFiles {
  /** As of the last look. */
  readonly found: DataFiles
  /** Resolves when the look that is under way has ended. */
  stop(): Promise<void>
}

/**
 * Counts the files of spaces and those that were set aside, at the start and every hour, and removes of the latter those that are older than `keepMs`. Each
 * removal is logged. Removes nothing before the clock has settled.
 */
export function keepFilesTidy(deps: {
  readonly dataDir: string
  /** How long a file that was set aside is kept. */
  readonly keepMs: number
  readonly clock: Pick<ServerClock, 'now' | 'isSettled'>
  readonly runtime: Pick<ServerRuntime, 'setTimer'>
  readonly logger: Logger
}): TidyFiles {
  const { dataDir, keepMs, clock, runtime, logger } = deps
  let found: DataFiles = { setAside: [], spaces: [], spacePaths: [] }
  let isStopped = false
  let cancel = (): void => {}
  let looking = look()

  async function look(): Promise<void> {
    try {
      found = await lookForFiles(dataDir)
      if (clock.isSettled()) found = { ...found, setAside: await removeOld(found.setAside) }
    } catch (error) {
      logger.error({ err: error }, 'the files in the data directory cannot be counted')
    }
    if (isStopped) return
    const lookAgain = (): void => {
      looking = look()
    }
    cancel = runtime.setTimer(lookAgain, clock.isSettled() ? intervalMs : settlingMs)
  }

  async function removeOld(files: readonly SetAsideFile[]): Promise<SetAsideFile[]> {
    const kept: SetAsideFile[] = []
    for (const file of files) {
      if (isStopped || clock.now() - file.setAsideAt <= keepMs) kept.push(file)
      else {
        await removeSetAside(file)
        logger.warn({ ...file }, 'a file that was set aside long ago is removed')
      }
    }
    return kept
  }

  return {
    get found() {
      return found
    },
    stop: async () => {
      isStopped = true
      cancel()
      await looking
    },
  }
}
