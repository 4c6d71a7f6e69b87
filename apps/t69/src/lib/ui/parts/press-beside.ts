import type { Attachment } from 'svelte/attachments'
import { on } from 'svelte/events'

import { doubleClickMs } from './double-click.ts'

/**
 * Calls `pressed` for a press beside a dialog, on its backdrop. Not for the second press of a double click on what opened it,
 * which would close it at once.
 */
export function pressBeside(pressed: () => void): Attachment<HTMLDialogElement> {
  return (dialog) => {
    const openedAt = performance.now()
    return on(dialog, 'pointerdown', ({ target, timeStamp }) => {
      if (target === dialog && timeStamp - openedAt > doubleClickMs) pressed()
    })
  }
}
