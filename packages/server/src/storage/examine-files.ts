import { extname } from 'node:path'

import { Piscina } from 'piscina'

import type { Examined } from './examine-thread.ts'

export interface FileExaminer {
  /** Reads all of a space's file. Rejects when the thread ended: with `close`, or without memory. */
  examine(path: string): Promise<Examined>
  /** Ends the thread. */
  close(): Promise<void>
}

/** How long the thread waits for the next file before it ends, in ms. */
const idleMs = 2_000

const threadMegabytes = 256

/** Examines files on a thread of its own, which runs only meanwhile: a large file takes seconds. */
export function createFileExaminer(): FileExaminer {
  const pool = new Piscina<string, Examined>({
    filename: new URL(`./examine-thread${extname(import.meta.url)}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: idleMs,
    resourceLimits: { maxOldGenerationSizeMb: threadMegabytes, maxYoungGenerationSizeMb: 4 },
  })
  return {
    examine: (path) => pool.run(path),
    close: () => pool.destroy(),
  }
}
