import type { SpaceId, TreeOperation } from '@t69/protocol'

import { createSyncEngine, type SyncEngine, type SyncEngineDeps } from '../engine/index.ts'
import type { PageJournal } from '../storage/index.ts'
import type { LeaderMessage, Tabs } from '../tabs/index.ts'
import type { UnfinishedSpaces } from './unfinished-spaces.ts'

/** The work of the leading tab: it syncs for all tabs, and stores the edits that closed tabs left behind. */
export interface Leading {
  /** Null while another tab leads. */
  readonly engine: SyncEngine | null
  hear(message: LeaderMessage): void
  begin(): void
  /** Another tab took the lead because this one did not answer. */
  end(): void
  /** Shows and sends edits that a tab of an older t69 stored without telling anyone. Never rejects. */
  sweep(spaceIds: Iterable<SpaceId>): Promise<void>
  stop(): Promise<void>
}

export interface LeadingDeps extends SyncEngineDeps {
  readonly journal: PageJournal
  readonly tabs: Tabs
  readonly unfinished: UnfinishedSpaces
  /** The storage does not take the space's noted edits now: if this tab has the space open, it keeps trying. */
  readonly takeOver: (spaceId: SpaceId) => void
}

/** How long a tab pauses after it found another tab leading, in ms. The other one wrote last and keeps the lead. */
const pauseMs = 1_000

export function createLeading(deps: LeadingDeps): Leading {
  const { storage, runtime, journal, tabs, tell } = deps
  let engine: SyncEngine | null = null
  let stopped = false
  let cancelBegin = (): void => {}
  /** The tabs whose closing is awaited, and this one. */
  const watchedTabs = new Set<string>([tabs.id])

  /** Tells the tabs and the engine of edits that are stored and that no open tab has. */
  function tellFound(spaceId: SpaceId, ops: readonly TreeOperation[]): void {
    tell({ type: 'received', spaceId, ops })
    tell({ type: 'edited', spaceId, ops: [] })
    tell({ type: 'settled', spaceId })
  }

  /** Stores the edits that a closed tab noted and could not store. */
  async function pickUp(): Promise<void> {
    const { stored, unstored } = await journal.recover(storage)
    for (const spaceId of unstored) deps.takeOver(spaceId)
    for (const { spaceId, ops } of stored) tellFound(spaceId, ops)
  }

  async function sweep(spaceIds: Iterable<SpaceId>): Promise<void> {
    for (const spaceId of spaceIds) {
      // A failure changes nothing. It is tried again when somebody next looks at the page.
      const ops = await storage.takeStrays(spaceId).catch(() => [])
      if (ops.length > 0) tellFound(spaceId, ops)
    }
  }

  /** Waits for the closing of a tab that has announced itself. */
  function watchTab(tab: string): void {
    if (watchedTabs.has(tab)) return
    watchedTabs.add(tab)
    tabs.watch(tab, () => {
      watchedTabs.delete(tab)
      tell({ type: 'left', tab })
      void pickUp()
    })
  }

  function begin(): void {
    if (stopped) return
    engine = createSyncEngine(deps, beginAgain)
    tell({ type: 'leading' })
    void pickUp()
    void deps.unfinished.removeOld()
    void storage.listSpaces().then(
      (spaces) => sweep(spaces.map(({ id }) => id)),
      () => {},
    )
  }

  /**
   * Two tabs believed that they lead, and the other one has written since. Begins again after a pause, unless this tab
   * learns meanwhile that it has lost the lead.
   */
  function beginAgain(): void {
    const before = engine
    void before?.stop()
    cancelBegin()
    cancelBegin = runtime.setTimer(() => void (engine === before && before !== null && begin()), pauseMs)
  }

  return {
    get engine() {
      return engine
    },
    hear(message) {
      if (engine === null) return
      engine.hear(message)
      if (message.type === 'opened') watchTab(message.tab)
    },
    begin,
    end() {
      cancelBegin()
      void engine?.stop()
      engine = null
      watchedTabs.clear()
      watchedTabs.add(tabs.id)
    },
    sweep,
    async stop() {
      stopped = true
      cancelBegin()
      await engine?.stop()
    },
  }
}
