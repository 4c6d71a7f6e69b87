import { messageOf } from '@t69/protocol'

import type { Logger } from '../ports/logger.ts'
import type { Metrics } from '../ports/metrics.ts'
import type { ServerRuntime } from '../ports/server-runtime.ts'
import type { FileExaminer } from '../storage/examine-files.ts'
import type { Examined } from '../storage/examine-thread.ts'
import type { ReadMark } from './read-mark.ts'

/** The shortest and the longest rest between two files, in ms. */
const shortestRestMs = 1_000
const longestRestMs = 10 * 60_000

/** A file that took a second is followed by a rest of this many. */
const restFor = 19

export interface ReadFilesThroughOptions {
  readonly examiner: Pick<FileExaminer, 'examine'>
  /** The files of all spaces, in any order. */
  readonly paths: () => readonly string[]
  /** How often each file is read, in ms. It takes longer where the files are too large for a twentieth of a core. */
  readonly everyMs: number
  readonly mark: ReadMark
  /** The file is damaged: it is to be opened anew, and set aside. */
  readonly damaged: (path: string) => Promise<void>
  readonly runtime: Pick<ServerRuntime, 'setTimer'>
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'fileRead'>
}

/**
 * Reads the files of all spaces through, one after another and again and again, whether anybody opens them or not: what rots
 * on the disk of a space that nobody is in would be found when its devices are long gone. Resting in between, it takes little
 * of the disk. The returned function stops it, and resolves once the file that is being read is done with.
 */
export function readFilesThrough(options: ReadFilesThroughOptions): () => Promise<void> {
  const { examiner, paths, everyMs, mark, damaged, runtime, logger, metrics } = options
  let { last } = mark
  let isStopped = false
  let reading: Promise<void> = Promise.resolve()
  let cancel = rest(0)

  function rest(tookMs: number): () => void {
    const share = everyMs / Math.max(1, paths().length) - tookMs
    const restMs = Math.max(shortestRestMs, restFor * tookMs, Math.min(longestRestMs, share))
    return runtime.setTimer(() => {
      reading = readNext()
    }, restMs)
  }

  async function readNext(): Promise<void> {
    const path = nextPath()
    const tookMs = path === undefined ? 0 : await read(path)
    if (!isStopped) cancel = rest(tookMs)
  }

  /** The path that follows the last one, in their order; the first one after all. */
  function nextPath(): string | undefined {
    let first: string | undefined
    let next: string | undefined
    for (const path of paths()) {
      if (first === undefined || path < first) first = path
      if (path > last && (next === undefined || path < next)) next = path
    }
    return next ?? first
  }

  /** Returns how long it took, in ms. */
  async function read(path: string): Promise<number> {
    try {
      const examined = await examiner.examine(path)
      last = path
      await mark.note(path)
      if (examined.result !== 'gone') metrics.fileRead(examined.result)
      if ('reason' in examined) await report(path, examined)
      return examined.ms
    } catch (error) {
      if (isStopped) return 0
      last = path
      metrics.fileRead('failed')
      logger.error({ path, reason: messageOf(error) }, 'the file of a space could not be read through')
      return 0
    }
  }

  async function report(path: string, { result, reason }: Extract<Examined, { reason: string }>) {
    const problem = result === 'damaged' ? 'is damaged' : 'cannot be read'
    logger.error({ path, reason }, `the file of a space ${problem}`)
    if (result === 'damaged') await damaged(path)
  }

  return async () => {
    isStopped = true
    cancel()
    await reading
  }
}
