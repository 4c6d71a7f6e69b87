import type { SpaceId } from '@t69/protocol'

import { createSyncEngine, type SyncEngine, type SyncEngineDeps } from '../engine/index.ts'
import type { OpenSpace } from '../space/index.ts'
import type { PageJournal } from '../storage/index.ts'
import type { TabMessage, Tabs } from '../tabs/index.ts'

/** What a tab does while it leads: it syncs for all tabs, and sees to what those that are gone left behind. */
export interface Leading {
  /** Null while another tab leads. */
  readonly engine: SyncEngine | null
  begin(): void
  /** Another tab took the lead, since this one did not answer. */
  end(): void
  /** Waits for the end of a tab that has spoken. */
  attend(tab: string): void
  /** Shows and sends what a tab of an older t69 wrote meanwhile, without a word to anybody. Never rejects. */
  sweep(spaceIds: Iterable<SpaceId>): Promise<void>
  stop(): Promise<void>
}

export interface LeadingDeps extends SyncEngineDeps {
  readonly journal: PageJournal
  readonly tabs: Tabs
  readonly tell: (message: TabMessage) => void
  /** What this tab has open. */
  readonly open: ReadonlyMap<SpaceId, OpenSpace>
  /** All tabs were told. */
  readonly onBegun: () => void
}

/** How long the lead that two tabs believe to have is left to the one that has written last. */
const againMs = 1_000

export function createLeading(deps: LeadingDeps): Leading {
  const { storage, runtime, journal, tabs, tell, open } = deps
  let engine: SyncEngine | null = null
  let stopped = false
  /** Tabs whose end is waited for, and this one. */
  const attended = new Set<string>([tabs.id])

  /** Stores what a tab that is gone could not finish, and shows it to those that are here. */
  async function pickUp(): Promise<void> {
    const { stored, left } = await journal.recover(storage)
    for (const spaceId of left) open.get(spaceId)?.adopt(journal.takeOver(spaceId))
    for (const { spaceId, ops } of stored) {
      open.get(spaceId)?.show(ops)
      tell({ type: 'edited', spaceId, ops })
      tell({ type: 'settled', spaceId })
    }
  }

  async function sweep(spaceIds: Iterable<SpaceId>): Promise<void> {
    for (const spaceId of spaceIds) {
      // What fails has changed nothing, and is tried when somebody next looks.
      const ops = await storage.takeStrays(spaceId).catch(() => [])
      if (ops.length === 0) continue
      open.get(spaceId)?.show(ops)
      tell({ type: 'edited', spaceId, ops })
      tell({ type: 'settled', spaceId })
    }
  }

  function begin(): void {
    if (stopped) return
    engine = createSyncEngine(deps, {
      superseded: beginAgain,
      received: (spaceId, ops) => tell({ type: 'received', spaceId, ops: [...ops] }),
      settled: (spaceId) => tell({ type: 'settled', spaceId }),
      reported: (spaceId, report) => tell({ type: 'reported', spaceId, report }),
      present: (spaceId, present) => tell({ type: 'present', spaceId, present }),
      transients: (spaceId, connectionId, changes) =>
        tell({ type: 'transients-heard', spaceId, connectionId, changes: [...changes] }),
      spacesChanged: () => tell({ type: 'spaces-changed' }),
      rebuilt: (spaceId) => tell({ type: 'rebuilt', spaceId }),
    })
    tell({ type: 'leading' })
    deps.onBegun()
    void pickUp()
    void storage.listSpaces().then(
      (spaces) => sweep(spaces.map(({ id }) => id)),
      () => {},
    )
  }

  /**
   * Two tabs believed that they lead, and the other one has written since. Unless this one hears of its loss
   * until then, it is the one that holds the lead, and begins anew.
   */
  function beginAgain(): void {
    const before = engine
    void before?.stop()
    runtime.setTimer(() => void (engine === before && before !== null && begin()), againMs)
  }

  return {
    get engine() {
      return engine
    },
    begin,
    end() {
      void engine?.stop()
      engine = null
      attended.clear()
      attended.add(tabs.id)
    },
    attend(tab) {
      if (attended.has(tab)) return
      attended.add(tab)
      tabs.watch(tab, () => {
        attended.delete(tab)
        tell({ type: 'left', tab })
        void pickUp()
      })
    },
    sweep,
    async stop() {
      stopped = true
      await engine?.stop()
    },
  }
}
