import { readdir, rm, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'

import { spaceIdSchema } from '@t69/protocol'

/** A file that was set aside because it could not be used: `sqlite/set-aside.ts` says which kinds there are. */
export interface SetAsideFile {
  /** Absolute. */
  readonly path: string
  readonly bytes: number
  /** By its name, in Unix milliseconds. */
  readonly setAsideAt: number
}

const asideName =
  /\.(?:corrupt|stale|unknown)-(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\d\.\d{3}Z)(?:-wal|-journal)?$/
const spacesFolder = /^[0-9a-f]{2}$/

export interface DataFiles {
  /** The oldest first. */
  readonly setAside: readonly SetAsideFile[]
  /** The sizes of the files of spaces, without their write-ahead logs, in bytes. */
  readonly spaces: readonly number[]
  /** Where these files are. */
  readonly spacePaths: readonly string[]
}

/** Looks for the files in the data directory. Rejects with what the file system throws. */
export async function lookForFiles(dataDir: string): Promise<DataFiles> {
  const entries = await readdir(dataDir, { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory() && spacesFolder.test(entry.name))
  const setAside: SetAsideFile[] = []
  const spaces: number[] = []
  const spacePaths: string[] = []
  for (const folder of [dataDir, ...folders.map(({ name }) => join(dataDir, name))]) {
    // One folder after the other: there are 257, and people's requests come first.
    for (const name of await readdir(folder)) {
      const [, day, hour, minute, rest] = asideName.exec(name) ?? []
      const isSpace = folder !== dataDir && isOfSpace(name)
      if (day === undefined && !isSpace) continue
      const path = join(folder, name)
      const bytes = await sizeIfThere(path)
      if (bytes === undefined) continue
      if (isSpace) {
        spaces.push(bytes)
        spacePaths.push(path)
      } else setAside.push({ path, bytes, setAsideAt: Date.parse(`${day}${hour}:${minute}:${rest}`) })
    }
  }
  return { setAside: setAside.toSorted((a, b) => a.setAsideAt - b.setAsideAt), spaces, spacePaths }
}

const isOfSpace = (name: string): boolean =>
  extname(name) === '.db' && spaceIdSchema.safeParse(basename(name, '.db')).success

/** Undefined for a file that was removed meanwhile: somebody deleted the space. */
async function sizeIfThere(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Removes a file that was set aside. Repeating it is harmless. */
export async function removeSetAside({ path }: SetAsideFile): Promise<void> {
  await rm(path, { force: true })
}
