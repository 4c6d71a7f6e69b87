interface Swiped {
  readonly isOpen: boolean
  /** The drawer, which is as wide as a finger moves to open it. Null where the sidebar is no drawer. */
  readonly drawer: () => HTMLElement | null
  readonly set: (isOpen: boolean) => void
}

/** How far a finger moves before its direction counts, in px. */
const undecided = 12
/** Where the system has swipes of its own, in px from the edge. */
const edge = 16
/** How fast a finger flings the drawer, in px per ms. */
const fling = 0.4

/**
 * An attachment that opens and closes the drawer with a finger, which it follows. A finger that moves up or down scrolls,
 * and so does one on something that scrolls sideways, such as a wide table.
 */
export function swipeDrawer(swiped: () => Swiped): (page: HTMLElement) => () => void {
  return (page) => {
    let finger: { x: number; y: number; at: number; drawer: HTMLElement } | null = null
    let isActive = false

    /** How far the finger has moved towards the end of the line, in px. */
    function along({ clientX }: Touch): number {
      return (clientX - (finger?.x ?? clientX)) * (getComputedStyle(page).direction === 'rtl' ? -1 : 1)
    }

    function start(event: TouchEvent): void {
      end()
      const [touch] = event.touches
      const drawer = swiped().drawer()
      if (touch === undefined || event.touches.length > 1 || drawer === null) return
      if (touch.clientX < edge || touch.clientX > innerWidth - edge) return
      if (event.target instanceof Element && !isOwned(event.target, page))
        finger = { x: touch.clientX, y: touch.clientY, at: event.timeStamp, drawer }
    }

    function move(event: TouchEvent): void {
      const [touch] = event.touches
      if (finger === null || touch === undefined) return
      const [x, y] = [along(touch), Math.abs(touch.clientY - finger.y)]
      if (!isActive) {
        if (Math.max(Math.abs(x), y) < undecided) return
        const isSideways = Math.abs(x) > 1.5 * y && x > 0 !== swiped().isOpen
        // Some browsers have begun to scroll by then, and do not stop.
        if (!isSideways || !event.cancelable) return end()
        isActive = true
      }
      event.preventDefault()
      const { drawer } = finger
      const moved = x - (swiped().isOpen ? 0 : drawer.offsetWidth)
      const sign = getComputedStyle(page).direction === 'rtl' ? -1 : 1
      const shown = Math.min(0, Math.max(-drawer.offsetWidth, moved)) * sign
      drawer.style.cssText = `translate: ${shown}px 0; visibility: visible; transition: none`
    }

    function lift(event: TouchEvent): void {
      const [touch] = event.changedTouches
      if (finger !== null && isActive && touch !== undefined) {
        const x = along(touch)
        const isFlung = Math.abs(x) / Math.max(1, event.timeStamp - finger.at) > fling
        if (isFlung || Math.abs(x) > finger.drawer.offsetWidth * 0.4) swiped().set(x > 0)
      }
      end()
    }

    function end(): void {
      if (isActive) finger?.drawer.removeAttribute('style')
      finger = null
      isActive = false
    }

    page.addEventListener('touchstart', start, { passive: true })
    page.addEventListener('touchmove', move, { passive: false })
    page.addEventListener('touchend', lift)
    page.addEventListener('touchcancel', end)
    return () => {
      end()
      page.removeEventListener('touchstart', start)
      page.removeEventListener('touchmove', move)
      page.removeEventListener('touchend', lift)
      page.removeEventListener('touchcancel', end)
    }
  }
}

/** Whether a finger on it has another meaning: it types, selects, answers a sheet, or scrolls something sideways. */
function isOwned(target: Element, page: HTMLElement): boolean {
  if (target.closest('input, textarea, select, dialog, [popover]:popover-open')) return true
  for (let at: Element | null = target; at !== null && at !== page; at = at.parentElement) {
    if (at.scrollWidth <= at.clientWidth) continue
    if (['auto', 'scroll'].includes(getComputedStyle(at).overflowX)) return true
  }
  return false
}
