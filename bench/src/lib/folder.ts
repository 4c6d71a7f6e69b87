import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { median } from './stats.ts'

let base = tmpdir()

/** Keeps all that is written in memory: what is left without the time that the disk takes to flush. */
export function useMemory(): void {
  base = '/dev/shm'
}

/** A new folder for the files of one server. */
export function newFolder(): string {
  return mkdtempSync(join(base, 't69-bench-'))
}

/** How long it takes until 4 kB are on the disk, in ms: the median of 50. */
export function flushMs(): number {
  const folder = newFolder()
  const file = openSync(join(folder, 'file'), 'w')
  try {
    return median(
      Array.from({ length: 50 }, () => {
        writeSync(file, 'x'.repeat(4_096))
        const begun = performance.now()
        fdatasyncSync(file)
        return performance.now() - begun
      }),
    )
  } finally {
    closeSync(file)
    rmSync(folder, { recursive: true })
  }
}
