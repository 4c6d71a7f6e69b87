import { readFile, writeFile } from 'node:fs/promises'

/**
 * Watches a process on Linux. `peakMiB` is the most memory that it has used since the call, above what it used then;
 * `totalMiB` is all of it.
 */
export async function watchMemory(
  pid: number,
): Promise<{ peakMiB(): Promise<number>; totalMiB(): Promise<number> }> {
  // Reset the high-water mark, which Linux allows.
  await writeFile(`/proc/${pid}/clear_refs`, '5')
  const idle = await mark(pid, 'VmRSS')
  return {
    peakMiB: async () => Math.round((await mark(pid, 'VmHWM')) - idle),
    totalMiB: async () => Math.round(await mark(pid, 'VmHWM')),
  }
}

async function mark(pid: number, name: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]
  if (kib === undefined) throw new Error(`the system does not report ${name}`)
  return Number(kib) / 1024
}
