import { readFile } from 'node:fs/promises'

/** Seconds of a core that a process has used (Linux). */
export async function coreSeconds(pid: number | undefined): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}
