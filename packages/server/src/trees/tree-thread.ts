import { type ErrorBody, SyncError } from '@t69/protocol'

import { openReadOnlyLog } from '../logs/read-only-log.ts'
import { readTree, type TreeQuestion, type TreeReading } from '../storage/tree-reader.ts'

export interface TreeTask {
  readonly dataDir: string
  readonly question: TreeQuestion
}

/** A reading, or an error as data: an exception loses its class on the way to another thread. */
export type TreeAnswer =
  | { readonly ok: true; readonly reading: TreeReading; readonly cpuMs: number }
  | { readonly ok: false; readonly error: ErrorBody; readonly cause?: string; readonly isDamaged: boolean }

/**
 * Answers one question, on the thread. Opens the space's file for each, for reading only, and keeps nothing between
 * questions.
 */
export default function answerTask({ dataDir, question }: TreeTask): TreeAnswer {
  let isDamaged = false
  const before = process.threadCpuUsage()
  try {
    const log = openReadOnlyLog(dataDir, question.spaceId, () => {
      isDamaged = true
    })
    try {
      const reading = readTree(log, question)
      const { user, system } = process.threadCpuUsage(before)
      return { ok: true, reading, cpuMs: (user + system) / 1000 }
    } finally {
      log.close()
    }
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
    const cause = error.cause instanceof Error ? { cause: error.cause.message } : {}
    return { ok: false, error: error.body, ...cause, isDamaged }
  }
}
