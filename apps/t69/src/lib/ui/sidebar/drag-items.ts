/** Where the item that is being dragged would go; `folderId` null is the top level. */
export interface DropPlace {
  readonly itemId: string
  readonly folderId: string | null
}

interface Dragging {
  canDrag(): boolean
  /** Where dropping `itemId` on a row (null: on free space) would put it; null when it cannot go there. */
  placeAt(itemId: string, rowId: string | null): DropPlace | null
  hover(place: DropPlace | null): void
  openFolder(id: string): void
  drop(place: DropPlace): void
}

/** How far a pointer moves before a press becomes a drag, in px. */
const moveThreshold = 5
/** How long a finger presses before it drags, in ms. */
const longPressMs = 350
/** How long an item hovers over a closed folder before the folder opens, in ms. */
const openAfterMs = 600
/** How close to the top or bottom of the box dragging scrolls it, in px. */
const edge = 36

/**
 * Drags rows with a mouse or a pen, or with a finger after a long press (a short one scrolls). HTML's own drag and
 * drop does not exist on phones. Returns an attachment for the box that holds the rows, elements with `data-id`.
 */
export function dragItems(dragging: Dragging): (box: HTMLElement) => () => void {
  return (box) => {
    let pressed: { id: string; pointerId: number; x: number; y: number } | null = null
    let active = false
    let ghost: HTMLElement | null = null
    let longPress: ReturnType<typeof setTimeout> | undefined
    let opening: ReturnType<typeof setTimeout> | undefined
    let over: string | null = null

    const rowAt = (x: number, y: number): HTMLElement | null =>
      document.elementFromPoint(x, y)?.closest<HTMLElement>('[data-id][role=treeitem]') ?? null

    function begin(): void {
      if (pressed === null) return
      active = true
      const row = box.querySelector<HTMLElement>(`[data-id="${CSS.escape(pressed.id)}"]`)
      ghost = document.createElement('div')
      ghost.className = 'drag-ghost'
      ghost.dir = 'auto'
      ghost.textContent = row?.getAttribute('aria-label') ?? ''
      document.body.append(ghost)
      place(pressed.x, pressed.y)
    }

    function place(x: number, y: number): DropPlace | null {
      if (pressed === null) return null
      if (ghost) ghost.style.translate = `${x + 12}px ${y + 8}px`
      const inside = box.contains(document.elementFromPoint(x, y))
      const rowId = rowAt(x, y)?.dataset['id'] ?? null
      const at = inside ? dragging.placeAt(pressed.id, rowId) : null
      dragging.hover(at)
      if (rowId !== over) {
        clearTimeout(opening)
        over = rowId
        if (rowId !== null && rowId === at?.folderId)
          opening = setTimeout(() => dragging.openFolder(rowId), openAfterMs)
      }
      const bounds = box.getBoundingClientRect()
      if (y < bounds.top + edge) box.scrollTop -= 12
      else if (y > bounds.bottom - edge) box.scrollTop += 12
      return at
    }

    function end(): void {
      clearTimeout(longPress)
      clearTimeout(opening)
      ghost?.remove()
      ghost = null
      pressed = null
      over = null
      active = false
      dragging.hover(null)
    }

    function down(event: PointerEvent): void {
      if (event.button !== 0 || !event.isPrimary || !dragging.canDrag()) return
      if (!(event.target instanceof Element) || event.target.closest('button, input, [popover]')) return
      const id = event.target.closest<HTMLElement>('[data-id][role=treeitem]')?.dataset['id']
      if (id === undefined) return
      pressed = { id, pointerId: event.pointerId, x: event.clientX, y: event.clientY }
      if (event.pointerType === 'touch') longPress = setTimeout(begin, longPressMs)
    }

    function move(event: PointerEvent): void {
      if (pressed === null || event.pointerId !== pressed.pointerId) return
      const far = Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > moveThreshold
      if (!active && far) {
        // A finger that moves before the long press ends scrolls.
        if (event.pointerType === 'touch') return end()
        begin()
      }
      if (active) place(event.clientX, event.clientY)
    }

    function up(event: PointerEvent): void {
      if (pressed === null || event.pointerId !== pressed.pointerId) return
      const wasActive = active
      const at = active ? place(event.clientX, event.clientY) : null
      end()
      if (!wasActive) return
      // The click that follows is part of the drag.
      const swallow = (click: Event) => click.stopPropagation()
      addEventListener('click', swallow, { capture: true, once: true })
      setTimeout(() => removeEventListener('click', swallow, { capture: true }))
      if (at !== null) dragging.drop(at)
    }

    const holdScroll = (event: TouchEvent) => {
      if (active) event.preventDefault()
    }
    const escape = (event: KeyboardEvent) => {
      if (active && event.key === 'Escape') end()
    }
    const noMenu = (event: Event) => {
      if (active) event.preventDefault()
    }
    box.addEventListener('pointerdown', down)
    box.addEventListener('touchmove', holdScroll, { passive: false })
    box.addEventListener('contextmenu', noMenu)
    addEventListener('pointermove', move)
    addEventListener('pointerup', up)
    addEventListener('pointercancel', end)
    addEventListener('keydown', escape)
    return () => {
      end()
      box.removeEventListener('pointerdown', down)
      box.removeEventListener('touchmove', holdScroll)
      box.removeEventListener('contextmenu', noMenu)
      removeEventListener('pointermove', move)
      removeEventListener('pointerup', up)
      removeEventListener('pointercancel', end)
      removeEventListener('keydown', escape)
    }
  }
}
