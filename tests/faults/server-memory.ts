import { readFile, writeFile } from 'node:fs/promises'

/** How much of the machine's memory a process has had at most since this was called, above what it had then. */
export async function watchMemory(pid: number): Promise<{ peakMiB(): Promise<number> }> {
  // Linux forgets the highest mark when it is asked to.
  await writeFile(`/proc/${pid}/clear_refs`, '5')
  const idle = await mark(pid, 'VmRSS')
  return { peakMiB: async () => Math.round((await mark(pid, 'VmHWM')) - idle) }
}

async function mark(pid: number, name: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]
  if (kib === undefined) throw new Error(`the system does not tell ${name}`)
  return Number(kib) / 1024
}
