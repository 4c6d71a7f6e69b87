/** How far apart the presses of a double click may be, in ms, by what systems and browsers take for one. */
export const doubleClickMs = 500

/**
 * Resolves once the second press of a double click has come, whose first one was at `pressedAt`, in ms of the page. What has taken
 * the place of the button that was pressed, such as that of the next row, must take none until then.
 */
export async function afterDoubleClick(pressedAt: number): Promise<void> {
  const leftMs = pressedAt + doubleClickMs - performance.now()
  if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs))
}

/** How far apart they may be, in px. */
const doubleClickPx = 10

type Press = Pick<MouseEvent, 'clientX' | 'clientY' | 'detail' | 'timeStamp'>

/** Returns a function that tells of each click whether it is the second press of a double click. One by a key is none. */
export function createDoubleClicks(): (click: Press) => boolean {
  let before: Press | undefined
  return (click) => {
    const [first, isByKey] = [before, click.detail === 0]
    before = isByKey ? undefined : click
    if (first === undefined || isByKey || click.timeStamp - first.timeStamp > doubleClickMs) return false
    return Math.hypot(click.clientX - first.clientX, click.clientY - first.clientY) <= doubleClickPx
  }
}
