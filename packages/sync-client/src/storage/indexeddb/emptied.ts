import { randomHexId } from '@t69/protocol'
import type { Dexie } from 'dexie'

import type { ConfigEntry, LocalDb } from './local-db-schema.ts'

const key = 'syncDatabaseId'

/**
 * Notices that the database was deleted under an open page: somebody cleared the site's data, or the browser
 * lost them. IndexedDB opens a new one then, without a word, in whichever tab comes first. So each database
 * has a random name of its own, looked at each time that it is opened. One that bears another name gets
 * `kept`, the values of `config` as this page knows them, before anything else reads it; then `listener` is
 * called.
 */
export function watchEmptied(db: LocalDb, kept: ReadonlyMap<string, unknown>, listener: () => void): void {
  let known: unknown

  async function look(opening: Dexie): Promise<void> {
    const config = opening.table<ConfigEntry, string>('config')
    const found = (await config.get(key))?.value
    if (found !== undefined && (known === undefined || found === known)) {
      known = found
      return
    }
    const isAnother = known !== undefined
    known = await opening.transaction('rw', [config], async () => {
      // Another tab may have come first.
      const id = (await config.get(key))?.value ?? randomHexId()
      await config.put({ key, value: id })
      if (!isAnother) return id
      for (const [name, value] of kept) {
        if (value !== undefined && (await config.get(name)) === undefined)
          await config.put({ key: name, value })
      }
      return id
    })
    // Whoever listens uses the database, which is not open before this has ended.
    if (isAnother) setTimeout(listener, 0)
  }

  // A database in which this fails can be opened all the same; whoever writes next hears of it.
  db.on('ready', (opening) => look(opening).catch(() => undefined), true)
}
