import { spaceIdSchema, SyncError, type SpaceId, type User } from '@t69/protocol'
import { z } from 'zod'

import type { Account } from '../account/index.ts'
import type { SyncClient } from '../api.ts'
import { createListeners, pageStore, parseInput, parseServerUrl } from '../runtime/index.ts'
import { createPageJournal, noJournal, type ClientStorage } from '../storage/index.ts'
import { browserTabs, hasBrowserTabs, soloTabs } from '../tabs/index.ts'
import type { SyncClientOptions } from './options.ts'
import { createTab, type Tab } from './tab.ts'

/** Where there is no `Symbol.asyncDispose`, as in Safari, a symbol of our own: no method must be named "undefined". */
// oxlint-disable-next-line eslint/no-restricted-properties
const asyncDisposeKey: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol('asyncDispose')

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
  /** What is closed with the client if it could not start. */
  let openStore: ClientStorage | undefined = options.storage

  async function start(): Promise<Tab> {
    parseServerUrl(options.url)
    const storage = await openStorage(options)
    openStore = storage
    const { database } = storage
    // Tabs share a database of the browser. Any other storage is assumed to be used by this client alone.
    const names = database === undefined || storage.volatileReason !== null ? null : namesFor(database)
    const tabs = options.tabs ?? (names !== null && hasBrowserTabs() ? browserTabs(names.tabs) : soloTabs())
    const journalStore = names === null ? undefined : pageStore()
    const journal =
      names === null || journalStore === undefined ? noJournal : createPageJournal(journalStore, names.notes)
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
    try {
      await (last ?? openStore)?.close()
    } finally {
      userListeners.clear()
      spacesListeners.clear()
    }
  }

  /** Whoever has signed in can edit the spaces again that they held before. */
  async function enter(signIn: (account: Account) => Promise<User>): Promise<User> {
    const opened = await started()
    const user = await signIn(opened.account)
    await opened.unlocked()
    return user
  }

  return {
    get user() {
      return tab?.account.user ?? null
    },
    get sessionEnded() {
      return tab?.account.hasEnded ?? false
    },
    get storageWasLost() {
      return tab?.account.wasLost ?? false
    },
    get volatileReason() {
      return tab?.storage.volatileReason ?? null
    },
    onUser: (listener) => userListeners.add(listener),
    onSpaces: (listener) => spacesListeners.add(listener),
    ready,
    signUp: (input) => enter((account) => account.signUp(input)),
    registration: async () => (await started()).account.registration(),
    signIn: (input) => enter((account) => account.signIn(input)),
    sendPasswordLink: async (email) => (await started()).account.sendPasswordLink(email),
    passwordLink: async (token) => (await started()).account.passwordLink(token),
    setPassword: (input) => enter((account) => account.setPassword(input)),
    visitProvider: async (why) => (await started()).account.visitProvider(why),
    signInWithProvider: () => enter((account) => account.signInWithProvider()),
    connectProvider: async () => (await started()).account.connectProvider(),
    disconnectProvider: async (proof) => (await started()).account.disconnectProvider(proof),
    signInWithPasskey: (passkey) => enter((account) => account.signInWithPasskey(passkey)),
    callAsNobody: async (call, reply) => (await started()).account.callAsNobody(call, reply),
    waysToSignIn: async () => (await started()).account.waysToSignIn(),
    signOut: async ({ everywhere = false, forget = false } = {}) =>
      (await started()).account.signOut({ everywhere, forget }),
    unsent: async () => (await started()).unsent(),
    lostAccounts: async () => (await started()).lostAccounts.list(),
    takeOver: async (userId) => (await started()).lostAccounts.takeOver(userId),
    changePassword: async (input) => (await started()).account.changePassword(input),
    deleteAccount: async ({ forget = false, ...proof }) =>
      (await started()).account.deleteAccount({ proof, forget }),
    changeName: async (name) => (await started()).account.changeName(name),
    isAdmin: async () => (await started()).account.isAdmin(),
    call: async (call, reply) => (await started()).account.call(call, reply),
    changeAddress: async (input) => (await started()).account.changeAddress(input),
    confirmAddress: async (token) => (await started()).account.confirmAddress(token),
    sessions: async () => (await started()).account.sessions(),
    endSession: async (sessionId) => (await started()).account.endSession(sessionId),
    endOtherSessions: async () => (await started()).account.endOtherSessions(),
    createSpace: async ({ name }) => (await started()).createSpace(name),
    listSpaces: async () => (await started()).directory.list(),
    openSpace: async (spaceId) => (await started()).openSpace(parseSpaceId(spaceId)),
    copySpace: async (spaceId, { name }) => (await started()).copySpace(parseSpaceId(spaceId), name),
    importSpace: async ({ name, trees }, { signal } = {}) =>
      (await started()).importSpace(name, trees, signal),
    deleteSpace: async (spaceId) => (await started()).deleteSpace(parseSpaceId(spaceId)),
    previewInvite: async (token) => (await started()).previewInvite(token),
    acceptInvite: async (token) => (await started()).acceptInvite(token),
    close: () => (closing ??= close()),
    [asyncDisposeKey]: () => (closing ??= close()),
  }
}

async function openStorage({ storage, name, onBlocked }: SyncClientOptions): Promise<ClientStorage> {
  const given = name === undefined ? undefined : parseInput(databaseNameSchema, name, 'name')
  if (storage === undefined) return openBrowserStorage(given, onBlocked)
  const { database } = storage
  if (given !== undefined && database !== undefined && given !== database) {
    throw new SyncError('invalid_request', `name: the storage that is passed is named "${database}"`, {
      at: 'name',
    })
  }
  return storage
}

const databaseNameSchema = z
  .string()
  .min(1)
  .refine((name) => name.isWellFormed(), 'it holds half a surrogate pair')

/** Opens IndexedDB. Its code is loaded here, so that a bot without it loads none. */
async function openBrowserStorage(
  name: string = defaultDatabase,
  onBlocked = (): void => {},
): Promise<ClientStorage> {
  if (typeof document === 'undefined' && typeof indexedDB === 'undefined') {
    throw new SyncError(
      'storage_failed',
      'There is no IndexedDB here: pass `storage`, such as memoryStorage()',
    )
  }
  const { openIndexedDbStorage } = await import('../storage/indexeddb/index.ts')
  return openIndexedDbStorage({ name, onBlocked })
}

/** t69's own database, as its other versions open it. */
const defaultDatabase = 'localDb'

/** What the clients over a database call themselves, and their notes. No name begins with another. */
function namesFor(database: string): { readonly tabs: string; readonly notes: string } {
  const suffix = database === defaultDatabase ? '' : `[${encodeURIComponent(database)}]`
  return { tabs: `t69-sync-1${suffix}`, notes: `t69-edits${suffix}/` }
}

function parseSpaceId(spaceId: string): SpaceId {
  const parsed = spaceIdSchema.safeParse(spaceId)
  if (parsed.success) return parsed.data
  throw new SyncError('invalid_request', `"${spaceId}" is not the id of a space`)
}
