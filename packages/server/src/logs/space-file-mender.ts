import type { SpaceId, SpaceIdentity } from '@t69/protocol'

import {
  asidePath,
  hasWal,
  setDatabaseAside,
  setStaleWalAside,
  setWalAside,
  sizeOf,
} from '../sqlite/set-aside.ts'
import { writeProblem } from '../sqlite/wrongly-read-only.ts'
import { examineFile } from './examine-file.ts'
import { DamagedAgainError } from './on-storage.ts'

/** Which spaces have had a file, remembered outside the files: a lost file leaves no trace of itself. */
export interface KnownSpaces {
  has(spaceId: SpaceId): boolean
  add(spaceId: SpaceId): void
  /** Tells the space from another one of its id. */
  identityOf(spaceId: SpaceId): SpaceIdentity | undefined
}

/** Sets aside what cannot be used of spaces' files. Deletes nothing, and writes over nothing. */
export interface SpaceFileMender {
  /** For each opening, before SQLite makes a new file or throws away a write-ahead log without its database. */
  beforeOpening(spaceId: SpaceId, path: string): void
  /** The file, which nobody has open, is that of another space of the same id. */
  setForeignAside(spaceId: SpaceId, path: string): void
  /** Examines a file with its write-ahead log, and sets aside what is wrong. Throws `DamagedAgainError`. */
  mend(spaceId: SpaceId, path: string): void
  /** The space was deleted. */
  forget(spaceId: SpaceId): void
}

export function createSpaceFileMender({
  known,
  now,
  warn,
}: {
  readonly known: KnownSpaces | undefined
  /** Unix milliseconds, for the names of files that are set aside. */
  readonly now: () => number
  readonly warn: (details: object, message: string) => void
}): SpaceFileMender {
  /** Spaces whose file was set aside since the process began. */
  const mended = new Set<SpaceId>()

  function noticeLoss(spaceId: SpaceId, path: string): void {
    if (sizeOf(path) > 0) return
    if (known?.has(spaceId) === true) {
      const message = 'the file of a space is missing or empty: a new log begins, which devices fill again'
      warn({ spaceId, path }, message)
    }
    if (!hasWal(path)) return
    const aside = asidePath(path, 'stale', now())
    setWalAside(path, aside)
    warn({ spaceId, path, setAside: `${aside}-wal` }, 'a write-ahead log without its database is set aside')
  }

  return {
    beforeOpening: noticeLoss,

    setForeignAside: (spaceId, path) => {
      const aside = asidePath(path, 'unknown', now())
      setDatabaseAside(path, aside)
      const message = 'a file is that of another space and is set aside: a new log begins'
      warn({ spaceId, path, setAside: aside }, message)
    },

    mend: (spaceId, path) => {
      const reason = examineFile(path) ?? writeProblem(path)
      if (reason === undefined) return
      if (mended.has(spaceId)) throw new DamagedAgainError(`it is damaged again: ${reason}`)
      const staleWal = setStaleWalAside(path, now(), (alone) => examineFile(alone) ?? writeProblem(alone))
      if (staleWal !== undefined) {
        mended.add(spaceId)
        const message = 'a write-ahead log does not belong to the file of a space and is set aside'
        warn({ spaceId, path, setAside: staleWal, reason }, message)
        return
      }
      const aside = asidePath(path, 'corrupt', now())
      setDatabaseAside(path, aside)
      mended.add(spaceId)
      const message =
        'the file of a space is damaged and set aside: a new log begins, which devices fill again'
      warn({ spaceId, path, setAside: aside, reason }, message)
    },

    forget: (spaceId) => void mended.delete(spaceId),
  }
}
