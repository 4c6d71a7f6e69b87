import { randomHexId } from '@t69/protocol'
import type { Dexie } from 'dexie'

import type { ConfigEntry, LocalDb } from './local-db-schema.ts'

const key = 'syncDatabaseId'

/**
 * Notices that the database was deleted under an open page: somebody cleared the site's data, or the browser lost it.
 * IndexedDB then silently opens a new one, in whichever tab comes first. So each database stores a random id, which is
 * compared each time the database is opened. A database with another id first gets `kept`, the `config` values that
 * this page knows, before anything else reads it; then `listener` is called.
 */
export function watchEmptied(db: LocalDb, kept: ReadonlyMap<string, unknown>, listener: () => void): void {
  let known: unknown

  async function compareIds(opening: Dexie): Promise<void> {
    const config = opening.table<ConfigEntry, string>('config')
    const found = (await config.get(key))?.value
    if (found !== undefined && (known === undefined || found === known)) {
      known = found
      return
    }
    const isAnother = known !== undefined
    known = await opening.transaction('rw', [config], async () => {
      // Another tab may have set the id first.
      const id = (await config.get(key))?.value ?? randomHexId()
      await config.put({ key, value: id })
      if (!isAnother) return id
      for (const [name, value] of kept) {
        if (value !== undefined && (await config.get(name)) === undefined)
          await config.put({ key: name, value })
      }
      return id
    })
    // The listener uses the database, which is not open before this function has ended.
    if (isAnother) setTimeout(listener, 0)
  }

  // If this fails, the database opens all the same, and the next write fails with the reason.
  db.on('ready', (opening) => compareIds(opening).catch(() => undefined), true)
}
