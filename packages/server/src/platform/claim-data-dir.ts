import { once } from 'node:events'
import { mkdirSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'

import { DataDirLockedError } from './data-dir-lock.ts'

/** How long a claim waits between attempts while another process has it, in ms. */
const pauseMs = 50

/**
 * Claims the directory with a lock that has no file and that nobody can remove: a Unix socket in Linux's abstract
 * namespace, named for the directory's inode. The kernel releases it however the process ends. Creates the directory.
 * Waits up to `waitMs` for a predecessor that is shutting down. Throws `DataDirLockedError`.
 *
 * Other systems have no such sockets, and containers do not see each other's. There, only the lock in the directory
 * holds (`lockDataDir`): docs/decisions/0035.
 */
export async function claimDataDir(dataDir: string, waitMs = 2000): Promise<AsyncDisposable> {
  // Nobody else on the machine may read it.
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  if (process.platform !== 'linux') return { [Symbol.asyncDispose]: async () => {} }
  const { dev, ino } = statSync(dataDir)
  const path = `\0t69-sync:${dev}:${ino}`
  for (let waitedMs = 0; ; waitedMs += pauseMs) {
    const claim = createServer((socket) => socket.destroy())
    claim.listen(path)
    try {
      await once(claim, 'listening')
      claim.unref()
      return claim
    } catch (error) {
      const isHeld = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
      if (!isHeld) throw error
      if (waitedMs >= waitMs) throw new DataDirLockedError(dataDir)
    }
    await setTimeout(pauseMs)
  }
}
