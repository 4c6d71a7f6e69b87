import type { Transport } from '../link/index.ts'
import type { Runtime } from '../runtime/index.ts'
import type { ClientStorage } from '../storage/index.ts'
import type { Tabs } from '../tabs/index.ts'

export interface SyncClientOptions {
  /** The server, such as `https://sync.example.org`. In a page that the server serves: `location.origin`. */
  readonly url: string
  /** IndexedDB in a browser (the default there); `memoryStorage()` elsewhere. */
  readonly storage?: ClientStorage
  /** Where the refresh token lives: an httpOnly cookie (the default in a browser), or the storage. */
  readonly session?: 'cookie' | 'storage'
  /**
   * Another tab has the database open in an older version and does not let go. Ask to close it: until then
   * `ready` waits, and so does everything else.
   */
  readonly onBlocked?: () => void
  /** For tests: the network, time and chance. */
  readonly transport?: Transport
  readonly fetch?: typeof fetch
  readonly runtime?: Runtime
  /** Other clients over the same storage. The tabs of a browser, where the storage is IndexedDB. */
  readonly tabs?: Tabs
}
