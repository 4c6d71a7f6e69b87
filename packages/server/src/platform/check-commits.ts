import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { SyncError } from '@t69/protocol'

/** Bytes of the probe: more than SQLite has room for in files that it has already. */
const probeBytes = 64 * 1024

/** How long the storage threads may take to answer, in ms. */
const answerMs = 4_000

/**
 * Checks that commits can succeed: a file can be written to the data directory, flushed and removed, and the threads that
 * write spaces' files answer. Rejects with `storage_failed`, which says what is wrong.
 */
export async function checkCommits(deps: {
  readonly dataDir: string
  /** Resolves once every storage thread has answered. */
  readonly threadsAnswer: () => Promise<void>
}): Promise<void> {
  await Promise.all([writeProbe(join(deps.dataDir, 'ready.probe')), inTime(deps.threadsAnswer())])
}

async function writeProbe(path: string): Promise<void> {
  try {
    const file = await open(path, 'w', 0o600)
    try {
      await file.writeFile(Buffer.alloc(probeBytes))
      await file.sync()
    } finally {
      await file.close()
      await rm(path, { force: true })
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
    throw failure(`The server cannot write to its data directory${code}`, error)
  }
}

async function inTime(answered: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timeout = setTimeout(
    () => late.reject(failure(`The storage has not answered for ${answerMs / 1000} seconds`)),
    answerMs,
  )
  try {
    await Promise.race([answered, late.promise])
  } finally {
    clearTimeout(timeout)
  }
}

function failure(message: string, cause?: unknown): SyncError {
  const failed = new SyncError('storage_failed', message, { retryAfterMs: 1_000 })
  failed.cause = cause
  return failed
}
