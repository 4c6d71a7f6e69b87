import { fileURLToPath } from 'node:url'

import type { Rollup } from 'vite'

/** What knows the modules of a build. */
interface Modules {
  getModuleInfo(id: string): Pick<Rollup.ModuleInfo, 'importedIds'> | null
}

/** Libraries that the first screen runs on, and our packages without what few pages need, or only once they are connected. */
export const base =
  /\/node_modules\/(?:svelte|zod|reptree|wuchale|@noble|esm-env|clsx)\/|\/packages\/(?:protocol|replica|sync-client)\/(?!.*\/(?:socket-io-transport\.ts|memory-storage\.ts|import-space\.ts|channel-locks\.ts|indexeddb\/|admin\/|passkeys\/|admin-http\.ts))|\/zod-without-eval\.ts$|vite\/preload-helper/
/** The database, in a file of its own: two connections bring two files sooner than one. */
export const storage = /\/node_modules\/dexie\/|\/sync-client\/src\/storage\/indexeddb\//
/** Modules of the app, and the icons that it shows. */
const ours = /\/apps\/t69\/src\/|\/node_modules\/@(?:lucide|wuchale)\//

const mainId = srcPath('main.ts')
const startId = srcPath('start.ts')

/**
 * Names the chunk of a module that the first screen needs: `main` if it comes before the language is there, `screen` if it
 * comes after. Null for all others, which the bundler splits as it sees fit. One file compresses to less than the ten
 * that it would make of the same modules, as dialogs and first screen share some of them.
 */
export function chunkOf(id: string, modules: Modules): string | null {
  // What main.ts imports is needed by what it waits for, so main.ts itself has to be elsewhere.
  if (!ours.test(id) || id === mainId) return null
  if (importedBy(mainId, modules).has(id)) return 'main'
  return importedBy(startId, modules).has(id) ? 'screen' : null
}

const known = new Map<string, ReadonlySet<string>>()

/** A module and all that it imports, without what it loads later. */
function importedBy(id: string, modules: Modules): ReadonlySet<string> {
  const before = known.get(id)
  if (before !== undefined) return before
  const found = new Set([id])
  // What is added to a set while it is walked is walked as well.
  for (const at of found)
    for (const imported of modules.getModuleInfo(at)?.importedIds ?? []) found.add(imported)
  known.set(id, found)
  return found
}

function srcPath(name: string): string {
  return fileURLToPath(new URL(`./src/${name}`, import.meta.url))
}
