import { randomBytes } from 'node:crypto'
import { chown, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A name that a staged file has: nothing that leads out of its folder. */
export const stagedName = /^[0-9a-f]{32}\.db$/

/** How much older than a new one a file must be that a command left behind when it was killed, in ms. */
const leftBehindMs = 60 * 60_000

/** Where a command puts a file that the server is to take over by renaming it. */
export function stagedPath(dataDir: string, name: string): string {
  return join(dataDir, 'imports', name)
}

/** A file in the data directory, durable and readable for the server, which nothing uses yet. Removed when disposed. */
export interface StagedFile extends AsyncDisposable {
  readonly name: string
}

/** Stages a file. Rejects with what the file system throws. */
export async function stageFile(dataDir: string, bytes: Uint8Array): Promise<StagedFile> {
  const folder = stagedPath(dataDir, '')
  // The server's user has to own it, also where root gives the command.
  const { uid, gid } = await stat(dataDir)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chown(folder, uid, gid)
  const name = `${randomBytes(16).toString('hex')}.db`
  const path = join(folder, name)
  const remove = (): Promise<void> => rm(path, { force: true })
  try {
    await writeFile(path, bytes, { mode: 0o600, flag: 'wx', flush: true })
    await chown(path, uid, gid)
    await removeLeftBehind(folder, (await stat(path)).mtimeMs)
  } catch (error) {
    await remove()
    throw error
  }
  return { name, [Symbol.asyncDispose]: remove }
}

async function removeLeftBehind(folder: string, now: number): Promise<void> {
  for (const other of await readdir(folder)) {
    const path = join(folder, other)
    if ((await stat(path)).mtimeMs < now - leftBehindMs) await rm(path)
  }
}
