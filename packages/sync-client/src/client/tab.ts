import type { User, UserId } from '@t69/protocol'

import {
  createAccount,
  createHttp,
  createSessionNote,
  createSessionStore,
  createSpaceDirectory,
  noSessionNote,
  type Account,
  type SpaceDirectory,
} from '../account/index.ts'
import type { UnsentSpace } from '../api.ts'
import { createLazySocketIo } from '../link/index.ts'
import { pageStore, parseServerUrl, systemRuntime } from '../runtime/index.ts'
import { isLocalUri, type ClientStorage, type PageJournal, type StoredSpace } from '../storage/index.ts'
import {
  concernsLeader,
  concernsSpaces,
  concernsTab,
  createLeaderWatch,
  createTabLine,
  type OwnTabMessage,
  type TabMessage,
  type Tabs,
} from '../tabs/index.ts'
import { createLeading } from './leading.ts'
import { createLostAccounts, type LostAccounts } from './lost-accounts.ts'
import { createOpenSpaces } from './open-spaces.ts'
import type { SyncClientOptions } from './options.ts'
import { isVisible, onPageEvents } from './page-events.ts'
import { createSpaceCalls, type SpaceCalls } from './space-calls.ts'
import { createUnfinishedSpaces } from './unfinished-spaces.ts'

/** The parts of the client in one tab: the account, the open spaces, and the engine while the tab leads. */
export interface Tab extends SpaceCalls {
  readonly storage: ClientStorage
  readonly account: Account
  readonly directory: SpaceDirectory
  /** Resolves when the locked spaces of the user who is signed in are open again. Never rejects. */
  unlocked(): Promise<void>
  unsent(): Promise<UnsentSpace[]>
  readonly lostAccounts: LostAccounts
  /** Rejects if the disk refuses edits; the tab is closed all the same. */
  close(): Promise<void>
}

/** The events of a tab that the app hears of. */
export interface TabListener {
  userChanged(user: User | null): void
  spacesChanged(): void
}

export async function createTab(
  options: SyncClientOptions,
  storage: ClientStorage,
  journal: PageJournal,
  tabs: Tabs,
  listener: TabListener,
): Promise<Tab> {
  const {
    url,
    runtime = systemRuntime,
    transport = createLazySocketIo(url, { now: () => runtime.now() }),
  } = options
  const server = parseServerUrl(url).href
  const http = createHttp(url, options.fetch ?? ((input, init) => fetch(input, init)), runtime)
  // A page that may not store anything is probably refused cookies as well. If it is not, it must not leave one behind.
  const hasCookies = typeof document !== 'undefined' && storage.volatileReason === null
  const kind = options.session ?? (hasCookies ? 'cookie' : 'storage')
  const notes = kind === 'cookie' && storage.database !== undefined ? pageStore() : undefined
  const line = createTabLine(tabs)
  let closed = false
  /** Resolves when the spaces of the user before are locked, and their last edits stored. */
  let locked: Promise<void> = Promise.resolve()
  /** Resolves when the locked spaces of the present user are open again. */
  let unlocked: Promise<void> = Promise.resolve()

  const watch = createLeaderWatch(runtime, {
    ask: () => tell({ type: 'leader-asked' }),
    onSilent: () => tabs.takeLead(),
  })
  const account = createAccount({
    http,
    storage,
    sessions: createSessionStore({
      storage,
      note:
        notes === undefined
          ? noSessionNote
          : createSessionNote(notes, `t69-session/${encodeURIComponent(storage.database ?? '')}/${server}`),
      server,
      pageOrigin: typeof location === 'undefined' ? null : location.origin,
    }),
    runtime,
    kind,
    exclusive: (task) => tabs.exclusive(task),
    forget,
    onStored: () => tell({ type: 'session-stored' }),
  })
  const directory = createSpaceDirectory({
    server,
    storage,
    account,
    runtime,
    onRenamed: () => tell({ type: 'spaces-changed' }),
  })
  const spaces = createOpenSpaces(
    { server, storage, journal, runtime, account, directory, tab: tabs.id, tell, onUnusable },
    tellOpened,
  )
  const unfinished = createUnfinishedSpaces(storage, runtime)
  const leading = createLeading({
    server,
    storage,
    transport,
    runtime,
    account,
    journal,
    tabs,
    unfinished,
    tell,
    takeOver: (spaceId) => spaces.get(spaceId)?.takeOver(),
  })

  const calls = createSpaceCalls({
    server,
    storage,
    journal,
    http,
    runtime,
    account,
    directory,
    spaces,
    unfinished,
    tell,
    async enter(spaceId, open) {
      const { engine } = leading
      const entered = await engine?.enter(spaceId, open)
      // Whoever has begun to lead meanwhile did not find it yet.
      const ifLost = (): void => void (leading.engine === engine || tellOpened())
      entered?.stored?.then(ifLost, () => {})
      return entered
    },
    stopSync: async (spaceId) => leading.engine?.forget(spaceId),
  })

  const spacesOf = async (userId: UserId): Promise<StoredSpace[]> =>
    (await storage.listSpaces()).filter((space) => account.isOf(space, userId))

  /** Removes the user's spaces, and the last known list of them, from this device. */
  async function forget(userId: UserId): Promise<void> {
    await locked
    for (const { id } of await spacesOf(userId)) await calls.removeHere(id)
    await directory.forgetUser(userId)
  }

  /** A space has become a user's in another tab. This tab may not have heard yet who is signed in. */
  function onUnusable(): void {
    void account
      .load()
      .then(() => spaces.lock())
      .then(
        () => listener.spacesChanged(),
        () => {},
      )
  }

  async function unsent(): Promise<UnsentSpace[]> {
    const found: UnsentSpace[] = []
    for (const { id, uri, name } of account.user === null ? [] : await spacesOf(account.user.id)) {
      const shown = spaces.get(id)?.status
      const { pending, rejected } = await storage.countPending(id)
      const state = await storage.getSyncState(id)
      const isKnown = !isLocalUri(uri) && !(state?.reconciling === true && state.logId !== null)
      // Edits that are not even on this device's disk are in the count of a space that is open.
      const edits = isKnown ? Math.max(pending, shown?.pending ?? 0) + rejected : null
      if (edits !== 0) found.push({ id, name: name ?? '', edits })
    }
    return found
  }

  /** Sends a message to every party that it concerns, in this tab and in the others. */
  function tell(message: TabMessage): void {
    if (closed) return
    line.send(message)
    hear(message, true)
  }

  function hear(message: TabMessage, isOwn: boolean): void {
    if (closed) return
    if (concernsSpaces(message)) spaces.hear(message, isOwn)
    if (concernsLeader(message)) leading.hear(message)
    if (concernsTab(message)) hearForTab(message, isOwn)
  }

  function hearForTab(message: OwnTabMessage, isOwn: boolean): void {
    switch (message.type) {
      case 'leading':
        tellOpened()
        return watch.heard()
      case 'leader-here':
        return watch.heard()
      case 'edited':
        // The leader now has work to do for this tab, so it has to show that it is alive.
        return isOwn && leading.engine === null ? watch.expect() : undefined
      case 'session-stored':
        // If the storage cannot be read, the session stays as it is until the next message.
        return isOwn ? undefined : void account.load().catch(() => {})
      case 'spaces-changed':
      case 'space-deleted':
        return listener.spacesChanged()
      default:
        return message satisfies never
    }
  }

  function tellOpened(): void {
    tell({ type: 'opened', tab: tabs.id, spaceIds: spaces.ids() })
  }

  /** While somebody looks at this tab, the leader has to show every few seconds that it is alive. */
  function look(): void {
    if (leading.engine === null && isVisible()) watch.look()
  }

  const stopEmptied = storage.onEmptied(() => {
    // If the storage fails here, it fails for the next edit as well, which reports it.
    for (const space of spaces.all()) void space.putBack().catch(() => {})
  })
  await tabs.join(() => {
    for (const space of spaces.all()) void space.reload().catch(() => {})
  })
  // Edits that an earlier page could not store.
  const { stored } = await journal.recover(storage)
  await account.load()
  line.onMessage((message) => hear(message, false))
  // Not awaited: it waits for a tab that is still reporting a sign-out to the server. What fails is tried at the next start.
  if (account.forgetting.length > 0) void account.finishForgetting().catch(() => {})
  account.onUser((user) => {
    // The app first: what it stores before it returns is still in the spaces of the user before.
    listener.userChanged(user)
    locked = spaces.lock()
    unlocked = spaces.unlock()
    hear({ type: 'spaces-changed' }, true)
  })
  const stopPageEvents = onPageEvents({
    wake(cause) {
      leading.engine?.wake(cause)
      look()
      // The user may come from a tab of an older t69, which stores edits without telling anyone.
      void leading.sweep(spaces.ids())
    },
    offline: () => leading.engine?.doubt(),
    hide() {
      watch.rest()
      for (const space of spaces.all()) space.writeNow()
    },
    thaw() {
      // Somebody may have signed out in another tab.
      void account.load().catch(() => {})
      leading.engine?.wake('somebody')
      for (const space of spaces.all()) void space.reload().catch(() => {})
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
  for (const { spaceId, ops } of stored) tell({ type: 'edited', spaceId, ops })

  return {
    storage,
    account,
    directory,
    unlocked: () => unlocked,
    unsent,
    lostAccounts: createLostAccounts({ server, storage, account, tell }),
    ...calls,
    async close() {
      const errors = await spaces.close()
      tellOpened()
      watch.stop()
      await leading.stop()
      closed = true
      stopPageEvents()
      stopEmptied()
      tabs.close()
      await storage.close()
      if (errors.length > 0) throw errors[0]
    },
  }
}
