import type { User } from '@t69/protocol'

import {
  createAccount,
  createHttp,
  createSpaceDirectory,
  type Account,
  type SpaceDirectory,
} from '../account/index.ts'
import { createSocketIoTransport } from '../link/index.ts'
import { reportUncaught, systemRuntime } from '../runtime/index.ts'
import type { ClientStorage, PageJournal } from '../storage/index.ts'
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
import { createOpenSpaces } from './open-spaces.ts'
import type { SyncClientOptions } from './options.ts'
import { isVisible, onPageEvents } from './page-events.ts'
import { createSpaceCalls, type SpaceCalls } from './space-calls.ts'

/** The parts of the client in one tab: the account, the open spaces, and the engine while the tab leads. */
export interface Tab extends SpaceCalls {
  readonly storage: ClientStorage
  readonly account: Account
  readonly directory: SpaceDirectory
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
    transport = createSocketIoTransport(url, { now: () => runtime.now() }),
  } = options
  const http = createHttp(url, options.fetch ?? ((input, init) => fetch(input, init)), runtime)
  // A page that may not store anything is probably refused cookies as well. If it is not, it must not leave one behind.
  const hasCookies = typeof document !== 'undefined' && storage.volatileReason === null
  const line = createTabLine(tabs)
  let closed = false

  const watch = createLeaderWatch(runtime, {
    ask: () => tell({ type: 'leader-asked' }),
    onSilent: () => tabs.takeLead(),
  })
  const account = createAccount({
    http,
    storage,
    runtime,
    kind: options.session ?? (hasCookies ? 'cookie' : 'storage'),
    exclusive: (task) => tabs.exclusive(task),
    onStored: () => tell({ type: 'session-stored' }),
  })
  const directory = createSpaceDirectory({
    url,
    storage,
    account,
    runtime,
    onRenamed: () => tell({ type: 'spaces-changed' }),
  })
  const spaces = createOpenSpaces(
    { storage, journal, runtime, account, directory, tab: tabs.id, tell },
    tellOpened,
  )
  const leading = createLeading({
    url,
    storage,
    transport,
    runtime,
    account,
    journal,
    tabs,
    tell,
    takeOver: (spaceId) => spaces.get(spaceId)?.takeOver(),
  })

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
  account.onUser((user) => {
    hear({ type: 'spaces-changed' }, true)
    listener.userChanged(user)
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
    ...createSpaceCalls({
      storage,
      runtime,
      account,
      directory,
      spaces,
      tell,
      stopSync: async (spaceId) => leading.engine?.forget(spaceId),
    }),
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
      for (const error of errors) reportUncaught(error)
    },
  }
}
