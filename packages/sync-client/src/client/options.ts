import type { Transport } from '../link/index.ts'
import type { Runtime } from '../runtime/index.ts'
import type { ClientStorage } from '../storage/index.ts'
import type { Tabs } from '../tabs/index.ts'

/**
 * The options of `createSyncClient`. Only `url` is required in a browser; elsewhere, `storage` as well.
 *
 *     createSyncClient({ url: 'https://sync.example.org', storage: memoryStorage() })
 */
export interface SyncClientOptions {
  /**
   * The server's address, such as `https://sync.example.org` or `https://example.org/t69`. In a page that it serves at
   * its root: `location.origin`.
   */
  readonly url: string
  /**
   * The name of this app's own database. Tabs whose clients have the same name share it; clients of another name on the
   * same origin know nothing of them. They do share the cookie of their server: pass `session: 'storage'` if different
   * people are to be signed in. Default: t69's database.
   */
  readonly name?: string
  /** Where spaces are kept. Default: IndexedDB, where there is one. Pass `memoryStorage()` elsewhere. */
  readonly storage?: ClientStorage
  /**
   * Where the refresh token is kept. Default: an httpOnly cookie in a page whose storage lasts, and otherwise the
   * storage.
   */
  readonly session?: 'cookie' | 'storage'
  /**
   * Called when a tab of an older version keeps the database open, which holds up its upgrade. Ask the user to close
   * that tab: until then `ready` waits, and so does every call.
   */
  readonly onBlocked?: () => void
  /** The connection to the server. Default: Socket.io. Tests pass their own network. */
  readonly transport?: Transport
  /** For the server's HTTP routes. Default: the global `fetch`. */
  readonly fetch?: typeof fetch
  /** Time and chance. Default: the system's. */
  readonly runtime?: Runtime
  /** The other clients over the same storage. Default: the tabs of this browser for IndexedDB, otherwise none. */
  readonly tabs?: Tabs
}
