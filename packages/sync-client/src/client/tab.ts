import {
  randomHexId,
  rightsOf,
  spaceIdSchema,
  spaceSchema,
  SyncError,
  type SpaceId,
  type User,
} from '@t69/protocol'

import { createHttp, createSession, createSpaceDirectory, noReply } from '../account/index.ts'
import type { Space } from '../api.ts'
import { createSocketIoTransport } from '../link/index.ts'
import { contain, systemRuntime } from '../runtime/index.ts'
import { openSpace, type OpenSpace } from '../space/index.ts'
import {
  type ClientStorage,
  isLocalUri,
  localUri,
  type PageJournal,
  type StoredSpace,
  unsynced,
} from '../storage/index.ts'
import { createLeaderWatch, createTabLine, type TabMessage, type Tabs } from '../tabs/index.ts'
import { createLeading } from './leading.ts'
import type { SyncClientOptions } from './options.ts'
import { isLookedAt, onPageEvents } from './page-events.ts'

export type ClientCore = Awaited<ReturnType<typeof createClientCore>>

/** What a storage cannot read now is shown once something changes again; that it fails, the next edit says. */
const ifRead = (reading: Promise<unknown> | undefined): void => void reading?.catch(() => {})

/**
 * What one tab runs once its storage is there: session, open spaces, and the engine while this tab leads.
 * Tabs tell each other everything by `TabMessage`s, which a tab hears from itself as well.
 */
export async function createClientCore(
  options: SyncClientOptions,
  storage: ClientStorage,
  journal: PageJournal,
  tabs: Tabs,
  changed: { user(user: User | null): void; spaces(): void },
) {
  const {
    url,
    runtime = systemRuntime,
    transport = createSocketIoTransport(url, { now: () => runtime.now() }),
  } = options
  const http = createHttp(url, options.fetch ?? ((input, init) => fetch(input, init)), runtime)
  // A page that keeps nothing is likely refused cookies as well, and would leave one behind if not.
  const hasCookies = typeof document !== 'undefined' && storage.volatileReason === null
  const kind = options.session ?? (hasCookies ? 'cookie' : 'storage')
  const tab = tabs.id
  const line = createTabLine(tabs)
  const open = new Map<SpaceId, OpenSpace>()
  let closed = false

  const watch = createLeaderWatch(runtime, {
    ask: () => tell({ type: 'leader-asked' }),
    onSilent: () => tabs.takeLead(),
  })
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
        watch.heard()
        return
      case 'leader-asked':
        if (!own && leading.engine !== null) tell({ type: 'leader-here' })
        return
      case 'leader-here':
        watch.heard()
        return
      case 'opened':
        leading.engine?.opened(message.tab, message.spaceIds)
        if (leading.engine !== null) leading.attend(message.tab)
        return
      case 'left':
        leading.engine?.opened(message.tab, [])
        for (const space of open.values()) space.left(message.tab)
        return
      case 'edited':
        if (!own) {
          space?.show(message.ops)
          void space?.recount()
        }
        leading.engine?.edited(message.spaceId)
        if (own && leading.engine === null) watch.expect()
        return
      case 'received':
        // The tab that leads rests between merges before it stores more.
        if (own) space?.show(message.ops)
        else space?.follow(message.ops)
        return
      case 'settled':
        void space?.recount()
        return
      case 'discarded':
        if (!own) ifRead(space?.discarded(message.treeIds))
        return
      case 'reported':
        space?.reported(message.report)
        return
      case 'shown':
        void judge(message)
        return
      case 'judged':
        if (message.tab === tab) space?.judged(message.verdict)
        return
      case 'distrusted':
        leading.engine?.distrust(message.spaceId)
        return
      case 'rebuilt':
        ifRead(space?.rebuilt())
        return
      case 'diverged':
        leading.engine?.report(message.spaceId, message.divergence)
        return
      case 'presence-set':
        leading.engine?.setPresence(message.spaceId, message.state)
        return
      case 'present':
        space?.present(message.present)
        return
      case 'transients-made':
        if (!own) space?.transients(`tab:${message.tab}`, message.changes)
        leading.engine?.sendTransients(message.spaceId, message.changes)
        return
      case 'transients-heard':
        space?.transients(message.connectionId, message.changes)
        return
      case 'session-stored':
        if (!own) ifRead(session.load())
        return
      case 'spaces-changed':
        spacesChanged()
        return
      case 'space-deleted':
        if (!own) space?.abandon()
        void leading.engine?.forget(message.spaceId)
        changed.spaces()
        return
      case 'rejoin':
        leading.engine?.rejoin(message.spaceId)
        return
    }
  }

  async function judge({ spaceId, tab, tree }: Extract<TabMessage, { type: 'shown' }>): Promise<void> {
    // A storage that fails judges nothing; the tab asks again.
    const verdict = await leading.engine?.judge(spaceId, tree).catch(() => undefined)
    if (verdict !== undefined) tell({ type: 'judged', spaceId, tab, verdict })
  }

  function spacesChanged(): void {
    for (const space of open.values()) ifRead(space.reread())
    void leading.engine?.refresh()
    changed.spaces()
  }

  function announceOpen(): void {
    tell({ type: 'opened', tab, spaceIds: [...open.keys()] })
  }

  function announce(): void {
    for (const space of open.values()) space.announce()
    announceOpen()
  }

  const leading = createLeading({
    url,
    storage,
    transport,
    runtime,
    session,
    journal,
    tabs,
    tell,
    open,
    onBegun: announce,
  })

  function look(): void {
    if (leading.engine === null && isLookedAt()) watch.look()
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
    made.adopt(journal.takeOver(spaceId))
    announceOpen()
    made.space.catch(() => {
      if (open.get(spaceId) === made) deps.onClosed()
    })
    return made.space
  }

  const stopEmptied = storage.onEmptied(() => {
    // What fails here fails as it would for any edit, and the next one says so.
    for (const space of open.values()) void space.putBack().catch(() => {})
  })
  await session.load()
  line.onMessage((message) => void (closed || hear(message, false)))
  session.onUser((user) => {
    spacesChanged()
    changed.user(user)
  })
  const stopPageEvents = onPageEvents({
    wake(cause) {
      leading.engine?.wake(cause)
      look()
      // Who looks here may come from such a tab.
      void leading.sweep(open.keys())
    },
    offline: () => leading.engine?.doubt(),
    hide() {
      watch.rest()
      for (const space of open.values()) space.hurry()
    },
    thaw() {
      leading.engine?.wake('somebody')
      for (const space of open.values()) ifRead(space.reload())
    },
  })
  tabs.lead(
    () => {
      if (closed) return
      watch.stop()
      leading.begin()
    },
    () => {
      leading.end()
      look()
    },
  )
  look()

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
      // What is written last in one that is being closed is not on the disk yet.
      await open.get(spaceId)?.closing?.catch(() => {})
      const before = open.get(spaceId)
      if (before !== undefined) return before.space
      const found = await directory.find(spaceId)
      return open.get(spaceId)?.space ?? keepOpen(found, false)
    },
    async deleteSpace(spaceId: SpaceId): Promise<void> {
      const found = await storage.getSpace(spaceId)
      const isSynced = found === undefined || found.userId !== null
      if (isSynced && directory.roleOf(spaceId) === null) await directory.list()
      const mayDelete = rightsOf(directory.roleOf(spaceId)).delete
      const isThere = isSynced && !(found !== undefined && isLocalUri(found.uri))
      if (isThere && session.user !== null && (mayDelete || found === undefined)) {
        await session
          .call({ method: 'DELETE', path: `/api/spaces/${spaceId}` }, noReply)
          .catch((error: unknown) => {
            if (!(error instanceof SyncError) || error.code !== 'not_found') throw error
          })
        await directory.forget(spaceId)
      }
      open.get(spaceId)?.abandon()
      await leading.engine?.forget(spaceId)
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
      watch.stop()
      await leading.stop()
      closed = true
      stopPageEvents()
      stopEmptied()
      tabs.close()
      await storage.close()
      for (const error of errors)
        contain(() => {
          throw error
        })
    },
  }
}
