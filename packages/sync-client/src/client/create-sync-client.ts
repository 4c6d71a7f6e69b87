import { spaceIdSchema, SyncError, type SpaceId, type User } from '@t69/protocol'

import type { SyncClient } from '../api.ts'
import { createListeners } from '../runtime/index.ts'
import { type ClientStorage, createPageJournal, noJournal, type JournalStore } from '../storage/index.ts'
import { browserTabs, hasBrowserTabs, soloTabs } from '../tabs/index.ts'
import type { SyncClientOptions } from './options.ts'
import { createTab, type Tab } from './tab.ts'

/**
 * Creates a client of one server: one per tab in a browser, one per bot elsewhere. Returns at once; `ready` resolves
 * when its storage is open.
 *
 *     await using client = createSyncClient({ url: 'https://sync.example.org', storage: memoryStorage() })
 */
export function createSyncClient(options: SyncClientOptions): SyncClient {
  const userListeners = createListeners<User | null>()
  const spacesListeners = createListeners<void>()
  let tab: Tab | null = null
  let closing: Promise<void> | null = null

  async function start(): Promise<Tab> {
    const storage = options.storage ?? (await openBrowserStorage(options.onBlocked))
    // Tabs share IndexedDB. A storage that the app passes is assumed to be used by this client alone.
    const onDisk = options.storage === undefined && storage.volatileReason === null
    const shared = onDisk && hasBrowserTabs()
    const tabs = options.tabs ?? (shared ? browserTabs('t69-sync-1') : soloTabs())
    const journalStore = onDisk ? browserJournalStore() : undefined
    const journal = journalStore === undefined ? noJournal : createPageJournal(journalStore)
    try {
      tab = await createTab(options, storage, journal, tabs, {
        userChanged: (user) => userListeners.emit(user),
        spacesChanged: () => spacesListeners.emit(),
      })
    } catch (error) {
      // Otherwise the other tabs would count this one among them for as long as the page lives.
      tabs.close()
      throw error
    }
    return tab
  }

  const starting = start()
  const ready = starting.then(() => undefined)
  // A failure rejects `ready` and every call. A caller may catch it at either, so neither is an unhandled rejection.
  ready.catch(() => {})
  const started = async (): Promise<Tab> => {
    if (closing !== null) throw new SyncError('unavailable', 'The client is closed')
    return starting
  }
  const close = async (): Promise<void> => {
    const last = await starting.catch(() => null)
    await last?.close()
    userListeners.clear()
    spacesListeners.clear()
  }

  return {
    get user() {
      return tab?.account.user ?? null
    },
    get volatileReason() {
      return tab?.storage.volatileReason ?? null
    },
    onUser: (listener) => userListeners.add(listener),
    onSpaces: (listener) => spacesListeners.add(listener),
    ready,
    signUp: async (input) => (await started()).account.signUp(input),
    signIn: async (input) => (await started()).account.signIn(input),
    signOut: async (how) => (await started()).account.signOut(how?.everywhere ?? false),
    changePassword: async (input) => (await started()).account.changePassword(input),
    deleteAccount: async ({ password }) => (await started()).account.deleteAccount(password),
    createSpace: async ({ name }) => (await started()).createSpace(name),
    listSpaces: async () => (await started()).directory.list(),
    openSpace: async (spaceId) => (await started()).openSpace(parseSpaceId(spaceId)),
    deleteSpace: async (spaceId) => (await started()).deleteSpace(parseSpaceId(spaceId)),
    acceptInvite: async (token) => (await started()).acceptInvite(token),
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  }
}

/** Opens IndexedDB. Its code is loaded here, so that a bot without it loads none. */
async function openBrowserStorage(onBlocked = (): void => {}): Promise<ClientStorage> {
  if (typeof document === 'undefined' && typeof indexedDB === 'undefined') {
    throw new SyncError(
      'storage_failed',
      'There is no IndexedDB here: pass `storage`, such as memoryStorage()',
    )
  }
  const { openIndexedDbStorage } = await import('../storage/indexeddb/index.ts')
  return openIndexedDbStorage({ onBlocked })
}

/** Returns localStorage, or undefined. Where cookies are blocked, reading the global throws. */
function browserJournalStore(): JournalStore | undefined {
  try {
    return typeof localStorage === 'undefined' ? undefined : localStorage
  } catch {
    return undefined
  }
}

function parseSpaceId(spaceId: string): SpaceId {
  const parsed = spaceIdSchema.safeParse(spaceId)
  if (parsed.success) return parsed.data
  throw new SyncError('invalid_request', `"${spaceId}" is not the id of a space`)
}
