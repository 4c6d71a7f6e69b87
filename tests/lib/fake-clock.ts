import { existsSync, globSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'

/** libfaketime, as Debian, Fedora and Arch install it. Undefined where it is missing. */
const library = [
  ...globSync('/usr/lib/*/faketime/libfaketime.so.1'),
  '/usr/lib64/faketime/libfaketime.so.1',
  '/usr/lib/faketime/libfaketime.so.1',
].find((path) => existsSync(path))

/** Tests that need `FakeClock` are skipped without. */
export const canFakeClock = library !== undefined

/** The clock of the machine, as one process sees it. Its monotonic clock is the real one. */
export interface FakeClock {
  /** For the environment of the process. */
  readonly env: Readonly<Record<string, string>>
  /** Sets how far the clock is ahead, in seconds, also while the process runs. */
  set(aheadSeconds: number): Promise<void>
}

/** `path` is that of a file that the process reads the clock's offset from. */
export async function createFakeClock(path: string): Promise<FakeClock> {
  if (library === undefined) throw new Error('libfaketime is missing')
  const set = async (aheadSeconds: number): Promise<void> =>
    writeFile(path, `${aheadSeconds < 0 ? '' : '+'}${aheadSeconds}\n`)
  await set(0)
  return {
    set,
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: path,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_RESET: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  }
}
