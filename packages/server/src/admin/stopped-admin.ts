import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { type RegistrationMode, SyncError } from '@t69/protocol'

import { createSqliteOpLogs } from '../logs/sqlite-op-logs.ts'
import { claimDataDir } from '../platform/claim-data-dir.ts'
import { NoServerError } from '../platform/no-server-error.ts'
import { createPasswords } from '../platform/passwords.ts'
import { isOfThisVersion } from '../platform/platform-database.ts'
import { openPlatform } from '../platform/platform.ts'
import { timeAtStart } from '../platform/server-clock.ts'
import { createSpaceDeletion } from '../platform/space-deletion.ts'
import type { Logger } from '../ports/logger.ts'
import type { Admin } from './admin-calls.ts'
import { createAdmin } from './create-admin.ts'

export interface StoppedAdmin extends AsyncDisposable {
  readonly admin: Admin
}

/**
 * A stopped server's directory, under its lock: no server can start on it meanwhile. Throws `NoServerError` where none has
 * run, `DataDirLockedError` where one runs, and what `openPlatform` throws.
 */
export async function openStopped(options: {
  readonly dataDir: string
  readonly refreshTokenTtlMs: number
  readonly signingSecret: string | undefined
  readonly synchronous: 'full' | 'normal'
  /** Who may sign up by the setting. */
  readonly registrationSetting: RegistrationMode
  readonly logger: Logger
}): Promise<StoppedAdmin> {
  const { dataDir, refreshTokenTtlMs, signingSecret, synchronous, registrationSetting, logger } = options
  if (!existsSync(join(dataDir, 'platform.sqlite'))) {
    throw new NoServerError(`no server has run in ${dataDir} yet`)
  }
  await using opening = new AsyncDisposableStack()
  opening.use(await claimDataDir(dataDir))
  if (!isOfThisVersion(join(dataDir, 'platform.sqlite'))) {
    throw new NoServerError(`the server in ${dataDir} is of another version: start this one there first`)
  }
  const platform = opening.adopt(
    openPlatform({ dataDir, synchronous, refreshTokenTtlMs, signingSecret }),
    (it) => it.close(),
  )
  const opened = Date.now()
  const startAt = timeAtStart(opened, platform.storedTimes.newest())
  const now = (): number => startAt + (Date.now() - opened)
  const logs = createSqliteOpLogs({
    dataDir,
    synchronous,
    now,
    warn: (details, message) => logger.warn(details, message),
  })
  const admin = createAdmin({
    dataDir,
    platform,
    passwords: createPasswords('known'),
    registrationSetting,
    spaceDeletion: createSpaceDeletion({
      records: platform.spaceRecords,
      closeSockets: () => {},
      removeFile: async (spaceId) => logs.delete(spaceId),
      logger,
    }),
    reviewSessions: () => {},
    askLogsOf: async (userId) => {
      if (platform.spaceRecords.unaskedOf(userId).length === 0) return
      const message =
        'the accounts were restored, and logs have to be asked for members first: start the server'
      throw new SyncError('unavailable', message)
    },
    running: () => null,
    now,
    logger,
  })
  const resources = opening.move()
  return { admin, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}
