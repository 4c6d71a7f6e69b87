import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

/** Remembers beyond a restart which file was read through last. */
export interface ReadMark {
  /** An absolute path; that of the folder before the first one. */
  readonly last: string
  /** Never rejects: without a mark, reading begins from the start after the next restart. */
  note(path: string): Promise<void>
}

/** Never rejects. */
export async function openReadMark(dataDir: string): Promise<ReadMark> {
  const markPath = join(dataDir, 'marks', 'read-through')
  const noted = await readFile(markPath, 'utf8').catch(() => '')
  return {
    last: join(dataDir, noted),
    note: async (path) => {
      try {
        await mkdir(dirname(markPath), { recursive: true, mode: 0o700 })
        await writeFile(markPath, relative(dataDir, path))
      } catch {
        // A full disk is reported by whoever needs it.
      }
    },
  }
}
