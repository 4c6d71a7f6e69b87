import type { User } from '@t69/protocol'

import { plural } from '../model/plural.ts'
import type { Action, Outcome } from './history.ts'
import type { SpaceView } from './space-view.svelte.ts'
import type { Ui } from './ui.svelte.ts'

/** Undoes and redoes what the user did in this tab, and says what came of it. */
export interface Undoing {
  /** Undoes `action`, or the last thing in the sidebar or the chat that has the focus. */
  undo(action?: Action): Promise<void>
  redo(): Promise<void>
  /** Says that several items were moved, with a way back. That of one is on the screen, and Ctrl+Z undoes it. */
  showMoved(itemIds: readonly string[], action: Action | null): void
}

/** `at`: the space on screen, and who is at the screen. */
export function createUndoing(
  ui: Ui,
  at: { readonly view: SpaceView | null; readonly user: User | null },
): Undoing {
  async function takeBack(
    take: (view: SpaceView) => Promise<Outcome | null>,
    said: (what: string) => string,
  ): Promise<void> {
    const { view } = at
    if (view === null || !view.rights.edit) return
    const outcome = await ui.attempt(() => take(view))
    if (outcome === undefined || outcome === null) return
    if (outcome.kind === 'done') return ui.show({ kind: 'info', text: said(outcome.what) })
    const who = outcome.by === null ? null : await view.people.askName(outcome.by)
    const text =
      who === null
        ? `This was not undone, because somebody has changed it since: ${outcome.what}`
        : `This was not undone, because “${who}” has changed it since: ${outcome.what}`
    ui.show({ kind: 'info', text })
  }

  function undo(action?: Action): Promise<void> {
    return takeBack(
      (view) => view.history.undo(at.user, action === undefined ? inSight(view) : { action }),
      (what) => `Undone: ${what}`,
    )
  }

  return {
    undo,
    redo: () =>
      takeBack(
        (view) => view.history.redo(at.user, inSight(view)),
        (what) => `Done again: ${what}`,
      ),
    showMoved(itemIds, action) {
      if (action === null || itemIds.length < 2) return
      const text = plural(itemIds.length, ['# item was moved.', '# items were moved.'])
      ui.show({ kind: 'info', text, undo: () => undo(action) })
    },
  }
}

function inSight({ chats }: SpaceView): { readonly in: string | null } {
  return { in: chats.focused?.treeId ?? null }
}
