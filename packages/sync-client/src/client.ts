import { randomHexId, spaceIdSchema, spaceSchema, SyncError, type SpaceId, type User } from '@t69/protocol'

import type { Space, SyncClient, SyncClientOptions } from './api.ts'
import { createHttp, noReply } from './http.ts'
import { contain, createListeners } from './listeners.ts'
import { onPageEvents } from './page-events.ts'
import { createPageJournal, noJournal, type PageJournal } from './page-journal.ts'
import { systemRuntime } from './runtime.ts'
import { createSession } from './session.ts'
import { createSocketIoTransport } from './socket-io-transport.ts'
import { createSpaceDirectory } from './space-directory.ts'
import { isLocalUri, localUri } from './space-uri.ts'
import { openSpace, type OpenSpace } from './space.ts'
import type { ClientStorage, StoredSpace } from './storage.ts'
import { createSyncEngine, type SyncEngine } from './sync-engine.ts'
import { unsynced } from './sync-machine.ts'
import { createTabLine, type TabMessage } from './tab-messages.ts'
import { browserTabs, hasBrowserTabs, soloTabs, type Tabs } from './tabs.ts'

/** A client of one server: in a browser one a tab, elsewhere one a bot. */
export function createSyncClient(options: SyncClientOptions): SyncClient {
  const userListeners = createListeners<User | null>()
  const spacesListeners = createListeners<void>()
  let core: Core | null = null
  let closing: Promise<void> | null = null

  async function start(): Promise<Core> {
    const storage = options.storage ?? (await openBrowserStorage())
    // Tabs share what IndexedDB keeps. A storage of the app's own is this client's alone, as far as we know.
    const onDisk = options.storage === undefined && storage.volatileReason === null
    const shared = onDisk && hasBrowserTabs()
    const tabs = options.tabs ?? (shared ? browserTabs('t69-sync-1') : soloTabs())
    const journal =
      onDisk && typeof localStorage !== 'undefined' ? createPageJournal(localStorage) : noJournal
    const recovered = await journal.recover(storage)
    core = await createCore(options, storage, journal, tabs, {
      user: (user) => userListeners.emit(user),
      spaces: () => spacesListeners.emit(),
    })
    for (const { spaceId, ops } of recovered) core.tell({ type: 'edited', spaceId, ops })
    return core
  }

  const starting = start()
  // Whoever calls a method, or awaits `ready`, hears of a failure; nobody has to.
  starting.catch(() => {})
  const started = async (): Promise<Core> => {
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
      return core?.session.user ?? null
    },
    get volatileReason() {
      return core?.storage.volatileReason ?? null
    },
    onUser: (listener) => userListeners.add(listener),
    onSpaces: (listener) => spacesListeners.add(listener),
    ready: starting.then(() => undefined),
    signUp: async (input) => (await started()).session.signUp(input),
    signIn: async (input) => (await started()).session.signIn(input),
    signOut: async (how) => (await started()).session.signOut(how?.everywhere ?? false),
    createSpace: async ({ name }) => (await started()).createSpace(name),
    listSpaces: async () => (await started()).directory.list(),
    openSpace: async (spaceId) => (await started()).openSpace(parseSpaceId(spaceId)),
    deleteSpace: async (spaceId) => (await started()).deleteSpace(parseSpaceId(spaceId)),
    acceptInvite: async (token) => (await started()).acceptInvite(token),
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  }
}

type Core = Awaited<ReturnType<typeof createCore>>

/** The client, once its storage is there and the stored session is read. */
async function createCore(
  options: SyncClientOptions,
  storage: ClientStorage,
  journal: PageJournal,
  tabs: Tabs,
  changed: { user(user: User | null): void; spaces(): void },
) {
  const { url, runtime = systemRuntime, transport = createSocketIoTransport(url) } = options
  const http = createHttp(url, options.fetch ?? ((input, init) => fetch(input, init)), runtime)
  const kind = options.session ?? (typeof document === 'undefined' ? 'storage' : 'cookie')
  const tab = tabs.id
  const line = createTabLine(tabs)
  const open = new Map<SpaceId, OpenSpace>()
  let engine: SyncEngine | null = null
  /** Tabs whose end the one that leads waits for. */
  const attended = new Set<string>([tab])
  let closed = false

  const session = createSession({
    http,
    storage,
    runtime,
    kind,
    exclusive: (task) => tabs.exclusive(task),
    onStored: () => tell({ type: 'session-stored' }),
  })
  const directory = createSpaceDirectory({
    url,
    storage,
    session,
    runtime,
    onRenamed: () => tell({ type: 'spaces-changed' }),
  })

  /** To every tab, this one included. */
  function tell(message: TabMessage): void {
    if (closed) return
    line.send(message)
    hear(message, true)
  }

  function hear(message: TabMessage, own: boolean): void {
    const space = 'spaceId' in message ? open.get(message.spaceId) : undefined
    switch (message.type) {
      case 'leading':
        if (!own) announce()
        for (const space of open.values()) void space.takenOver()
        return
      case 'opened':
        engine?.opened(message.tab, message.spaceIds)
        if (engine !== null) attend(message.tab)
        return
      case 'left':
        engine?.opened(message.tab, [])
        for (const space of open.values()) space.left(message.tab)
        return
      case 'edited':
        if (!own) {
          space?.show(message.ops)
          void space?.recount()
        }
        engine?.edited(message.spaceId)
        return
      case 'received':
        space?.show(message.ops)
        return
      case 'settled':
        void space?.recount()
        return
      case 'discarded':
        if (!own) void space?.discarded(message.treeIds)
        return
      case 'reported':
        space?.reported(message.report)
        return
      case 'presence-set':
        engine?.setPresence(message.spaceId, message.state)
        return
      case 'present':
        space?.present(message.present)
        return
      case 'transients-made':
        if (!own) space?.transients(`tab:${message.tab}`, message.changes)
        engine?.sendTransients(message.spaceId, message.changes)
        return
      case 'transients-heard':
        space?.transients(message.connectionId, message.changes)
        return
      case 'session-stored':
        if (!own) void session.load()
        return
      case 'spaces-changed':
        spacesChanged()
        return
      case 'space-deleted':
        if (!own) space?.abandon()
        void engine?.forget(message.spaceId)
        changed.spaces()
        return
      case 'rejoin':
        engine?.rejoin(message.spaceId)
        return
    }
  }

  function spacesChanged(): void {
    for (const space of open.values()) void space.reread()
    void engine?.refresh()
    changed.spaces()
  }

  function announceOpen(): void {
    tell({ type: 'opened', tab, spaceIds: [...open.keys()] })
  }

  function announce(): void {
    for (const space of open.values()) space.announce()
    announceOpen()
  }

  function attend(other: string): void {
    if (attended.has(other)) return
    attended.add(other)
    tabs.watch(other, () => {
      attended.delete(other)
      tell({ type: 'left', tab: other })
      void pickUp()
    })
  }

  /** Stores what a tab that is gone could not finish, and shows it to those that are here. */
  async function pickUp(): Promise<void> {
    for (const { spaceId, ops } of await journal.recover(storage)) {
      open.get(spaceId)?.show(ops)
      tell({ type: 'edited', spaceId, ops })
      tell({ type: 'settled', spaceId })
    }
  }

  function lead(): void {
    if (closed) return
    engine = createSyncEngine(
      { url, storage, transport, runtime, session },
      {
        received: (spaceId, ops) => tell({ type: 'received', spaceId, ops: [...ops] }),
        settled: (spaceId) => tell({ type: 'settled', spaceId }),
        reported: (spaceId, report) => tell({ type: 'reported', spaceId, report }),
        present: (spaceId, present) => tell({ type: 'present', spaceId, present }),
        transients: (spaceId, connectionId, changes) =>
          tell({ type: 'transients-heard', spaceId, connectionId, changes: [...changes] }),
        spacesChanged: () => tell({ type: 'spaces-changed' }),
      },
    )
    tell({ type: 'leading' })
    announce()
    void pickUp()
  }

  function keepOpen(found: StoredSpace, isNew: boolean): Promise<Space> {
    const spaceId = found.id
    const deps = {
      storage,
      journal,
      runtime,
      session,
      directory,
      tab,
      tell,
      onClosed() {
        open.delete(spaceId)
        announceOpen()
      },
    }
    const made = openSpace(found, deps, { isNew })
    open.set(spaceId, made)
    announceOpen()
    made.space.catch(() => {
      if (open.get(spaceId) === made) deps.onClosed()
    })
    return made.space
  }

  await session.load()
  line.onMessage((message) => void (closed || hear(message, false)))
  session.onUser((user) => {
    spacesChanged()
    changed.user(user)
  })
  const stopPageEvents = onPageEvents({
    wake: () => engine?.wake(),
    offline: () => engine?.doubt(),
    hide() {
      for (const space of open.values()) space.hurry()
    },
    thaw() {
      for (const space of open.values()) void space.reload()
    },
  })
  tabs.lead(lead)

  return {
    storage,
    session,
    directory,
    tell,
    async createSpace(name: string): Promise<Space> {
      const id = spaceIdSchema.parse(randomHexId())
      const userId = session.user?.id ?? null
      const createdAt = new Date(runtime.now())
      const made: StoredSpace = { id, uri: localUri(id), name: name.trim(), createdAt, userId }
      await storage.putSpace(made)
      if (userId !== null) await storage.putSyncState(id, unsynced)
      const space = await keepOpen(made, true)
      tell({ type: 'spaces-changed' })
      return space
    },
    async openSpace(spaceId: SpaceId): Promise<Space> {
      const before = open.get(spaceId)
      if (before !== undefined) return before.space
      const found = await directory.find(spaceId)
      return open.get(spaceId)?.space ?? keepOpen(found, false)
    },
    async deleteSpace(spaceId: SpaceId): Promise<void> {
      const found = await storage.getSpace(spaceId)
      const isSynced = found === undefined || found.userId !== null
      if (isSynced && directory.roleOf(spaceId) === null) await directory.list()
      const isOwner = directory.roleOf(spaceId) === 'owner'
      const isThere = isSynced && !(found !== undefined && isLocalUri(found.uri))
      if (isThere && session.user !== null && (isOwner || found === undefined)) {
        await session
          .call({ method: 'DELETE', path: `/api/spaces/${spaceId}` }, noReply)
          .catch((error: unknown) => {
            if (!(error instanceof SyncError) || error.code !== 'not_found') throw error
          })
        await directory.forget(spaceId)
      }
      open.get(spaceId)?.abandon()
      await engine?.forget(spaceId)
      await storage.deleteSpace(spaceId)
      tell({ type: 'space-deleted', spaceId })
    },
    async acceptInvite(token: string) {
      const summary = await session.call(
        { method: 'POST', path: `/api/invites/${encodeURIComponent(token)}/accept` },
        spaceSchema,
      )
      await directory.remember(summary)
      tell({ type: 'rejoin', spaceId: summary.id })
      tell({ type: 'spaces-changed' })
      return summary
    },
    async close(): Promise<void> {
      const errors: unknown[] = []
      for (const { space } of Array.from(open.values())) {
        await space.then((opened) => opened.close()).catch((error: unknown) => errors.push(error))
      }
      announceOpen()
      await engine?.stop()
      closed = true
      stopPageEvents()
      tabs.close()
      await storage.close()
      for (const error of errors)
        contain(() => {
          throw error
        })
    },
  }
}

/** IndexedDB, loaded only where it is used: a bot needs none of it. */
async function openBrowserStorage(): Promise<ClientStorage> {
  if (typeof indexedDB === 'undefined') {
    throw new SyncError(
      'storage_failed',
      'There is no IndexedDB here: pass `storage`, such as memoryStorage()',
    )
  }
  const { openIndexedDbStorage } = await import('./indexeddb-storage.ts')
  return openIndexedDbStorage()
}

function parseSpaceId(spaceId: string): SpaceId {
  const parsed = spaceIdSchema.safeParse(spaceId)
  if (parsed.success) return parsed.data
  throw new SyncError('invalid_request', `"${spaceId}" is not the id of a space`)
}
