import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** There are spaces, but no accounts that they belong to. */
export class LostAccountsError extends Error {
  override readonly name = 'LostAccountsError'
}

/**
 * Checks that a missing `platform.sqlite` is not lost, before a new one is created. With a new one nobody could enter
 * the existing spaces, and anyone who registered one of their ids would own its content. Throws `LostAccountsError`.
 */
export function checkForLostAccounts(dataDir: string, path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0 || !hasSpaces(dataDir)) return
  throw new LostAccountsError(
    `${path} is missing, but there are spaces: restore it from a backup, or move the spaces away to start over`,
  )
}

function hasSpaces(dataDir: string): boolean {
  if (!existsSync(dataDir)) return false
  const folders = readdirSync(dataDir, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name),
  )
  return folders.some(({ name }) => readdirSync(join(dataDir, name)).some((file) => file.endsWith('.db')))
}
