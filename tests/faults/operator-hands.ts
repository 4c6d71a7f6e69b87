import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'

import type { Random } from '../lib/random.ts'
import { backUp } from './space-file.ts'

/** What an operator does to the files of a server, well meant or not, with the server running or not. */
export interface OperatorHands {
  /** Does one thing to the database at `path`, drawn from the seed. Returns what it was, and what came of it. */
  touch(path: string): Promise<string>
  /** Whether the database at `path` may have lost something. */
  isHarmed(path: string): boolean
  /** Copies the database as the docs say. A copy that fails leaves the one before. */
  copy(path: string): void
  /** Puts the first copy in place as the docs say: later ones may be of a file that was harmed. The server must not run. */
  putBack(path: string): void
  /** Lets go of every lock, and gives back every right. */
  letGo(): void
}

type Act = (path: string) => void | Promise<void>

const checkpoints = ['PASSIVE', 'RESTART', 'TRUNCATE'] as const
/** Without the number of the schema: another one is a newer program's, whose files are left alone. */
const headerBytes = Array.from({ length: 100 }, (_, at) => at).filter((at) => at < 60 || at >= 64)
const suffixes = ['', '-wal', '-shm'] as const

export function createOperatorHands(random: Random): OperatorHands {
  const locks: DatabaseSync[] = []
  const modes = new Map<string, number>()
  /** Made once, and never changed: an older copy is worse than a newer one. */
  const copies = new Map<string, number>()
  const harmed = new Set<string>()

  const copyOf = (path: string, number: number) => `${path}.copy-${number}`
  const anyCopyOf = (path: string) => copyOf(path, 1 + random.below(copies.get(path) ?? 1))

  function within(path: string, statement: string): void {
    const db = new DatabaseSync(path, { timeout: 50 })
    try {
      db.exec(statement)
    } finally {
      db.close()
    }
  }

  function setMode(path: string, mode: number): void {
    if (!modes.has(path)) modes.set(path, statSync(path).mode)
    chmodSync(path, mode)
  }

  function lock(path: string, ...statements: string[]): void {
    const db = new DatabaseSync(path, { timeout: 50 })
    try {
      for (const statement of statements) db.exec(statement)
      locks.push(db)
    } catch (error) {
      db.close()
      throw error
    }
  }

  function replace(path: string): void {
    copyFileSync(anyCopyOf(path), `${path}.new`)
    renameSync(`${path}.new`, path)
  }

  async function restore(path: string): Promise<void> {
    const from = new DatabaseSync(anyCopyOf(path), { readOnly: true })
    try {
      await backup(from, path)
    } finally {
      from.close()
    }
  }

  function truncate(path: string): void {
    truncateSync(path, random.below(statSync(path).size + 1))
  }

  /** Flips bits only where SQLite keeps its own books: no reader can tell a text from another that is as good. */
  function flip(path: string, at: number): void {
    const file = openSync(path, 'r+')
    try {
      const byte = new Uint8Array(1)
      readSync(file, byte, 0, 1, at)
      byte[0] = (byte[0] ?? 0) ^ (1 << random.below(8))
      writeSync(file, byte, 0, 1, at)
    } finally {
      closeSync(file)
    }
  }

  /** Writes more bytes than a row has, so that no row is left that looks sound and says something else. */
  function overwrite(path: string): void {
    const { size } = statSync(path)
    const from = random.below(Math.max(1, size))
    const bytes = Uint8Array.from({ length: 512 + random.below(8_192) }, () => random.below(256))
    const file = openSync(path, 'r+')
    try {
      writeSync(file, bytes, 0, Math.min(bytes.length, size - from), from)
    } finally {
      closeSync(file)
    }
  }

  const habits: Record<string, Act> = {
    'copies it': (path) => copy(path),
    'vacuums it': (path) => within(path, 'VACUUM'),
    'checkpoints it': (path) => within(path, `PRAGMA wal_checkpoint(${random.pick(checkpoints)})`),
    'sets its journal mode': (path) => within(path, 'PRAGMA journal_mode = DELETE'),
    'locks it for writing': (path) => lock(path, 'BEGIN IMMEDIATE'),
    'locks it for everybody': (path) => lock(path, 'PRAGMA locking_mode = EXCLUSIVE', 'BEGIN EXCLUSIVE'),
    'reads it and does not finish': (path) => lock(path, 'BEGIN', 'SELECT count(*) FROM sqlite_schema'),
    'makes it read-only': (path) => setMode(path, 0o444),
    'makes its write-ahead log read-only': (path) => setMode(`${path}-wal`, 0o444),
    'makes it unreadable': (path) => setMode(path, 0),
    'makes its folder read-only': (path) => setMode(dirname(path), 0o555),
    'lets go': () => letGo(),
  }

  const harms: Record<string, Act> = {
    'replaces it by a copy': (path) => replace(path),
    'replaces it by a copy, and removes what is beside it': (path) => {
      for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
      replace(path)
    },
    'writes a copy over it': (path) => copyFileSync(anyCopyOf(path), path),
    'restores a copy through SQLite': (path) => restore(path),
    'removes it': (path) => rmSync(path),
    'removes its write-ahead log': (path) => rmSync(`${path}-wal`),
    'removes its shared memory': (path) => rmSync(`${path}-shm`),
    'removes all of it': (path) => {
      for (const suffix of suffixes) rmSync(path + suffix, { force: true })
    },
    'moves it away': (path) => renameSync(path, `${path}.away`),
    'empties it': (path) => truncateSync(path, 0),
    'truncates it': (path) => truncate(path),
    'truncates its write-ahead log': (path) => truncate(`${path}-wal`),
    'truncates its shared memory': (path) => truncate(`${path}-shm`),
    'truncates it within its header': (path) => truncateSync(path, random.below(128)),
    'flips a bit of its header': (path) => flip(path, random.pick(headerBytes)),
    'flips a bit of its schema': (path) => flip(path, 2_048 + random.below(2_048)),
    'overwrites a part of it': (path) => overwrite(path),
    'overwrites a part of its write-ahead log': (path) => overwrite(`${path}-wal`),
    'overwrites a part of its shared memory': (path) => overwrite(`${path}-shm`),
  }

  function copy(path: string): void {
    const number = (copies.get(path) ?? 0) + 1
    backUp(path, copyOf(path, number))
    copies.set(path, number)
  }

  function letGo(): void {
    for (const db of locks.splice(0)) db.close()
    for (const [path, mode] of modes) if (existsSync(path)) chmodSync(path, mode)
    modes.clear()
  }

  return {
    copy,
    letGo,
    putBack: (path) => {
      for (const suffix of suffixes) rmSync(path + suffix, { force: true })
      copyFileSync(copyOf(path, 1), path)
    },
    isHarmed: (path) => harmed.has(path),
    touch: async (path) => {
      const isHarm = random.chance(0.6)
      const acts = isHarm ? harms : habits
      const what = random.pick(Object.keys(acts))
      if (isHarm) harmed.add(path)
      try {
        await acts[what]?.(path)
        return what
      } catch (error) {
        // The file is not there, or locked, or no database by now: operators have to live with that.
        return `${what}, in vain (${error instanceof Error ? error.message : String(error)})`
      }
    },
  }
}
