/**
 * Keeps the focus of somebody who uses the keyboard. Where the element that has it leaves the page or is disabled, browsers
 * give it to nobody, and Tab begins at the top again. Here, something near gets it: what was around the element, if that takes
 * it, or stood beside what left with it; else the first thing in there that does. Whoever knows better moves it first.
 */
export function keepFocus(page: HTMLElement): () => void {
  /** The element that had the focus last, by the keyboard, and what was around it then; empty for none. */
  let last: Place[] = []

  function focused({ target }: FocusEvent): void {
    last = []
    if (!(target instanceof HTMLElement) || !target.matches(':focus-visible')) return
    for (let at: HTMLElement | null = target; at !== null && at !== page; at = at.parentElement)
      last.push({ element: at, beside: [at.nextElementSibling, at.previousElementSibling] })
  }

  /** The reader left it, for nothing: by a press somewhere else. */
  function pressed(): void {
    last = []
  }

  function look(): void {
    const [had, ...around] = last
    if (had === undefined || document.activeElement !== page || takesFocus(had.element)) return
    for (const { element, beside } of [...around, { element: page, beside: [] }]) {
      const near = element.isConnected
        ? [element, ...element.querySelectorAll(tabbable)].find(takesFocus)
        : beside.find(takesFocus)
      near?.focus({ preventScroll: true })
      if (near !== undefined && document.activeElement === near) return
    }
  }

  const observer = new MutationObserver(look)
  observer.observe(page, { childList: true, subtree: true, attributeFilter: ['disabled'] })
  page.addEventListener('focusin', focused)
  page.addEventListener('pointerdown', pressed)
  return () => {
    observer.disconnect()
    page.removeEventListener('focusin', focused)
    page.removeEventListener('pointerdown', pressed)
  }
}

const tabbable = 'a[href], button, input, select, textarea, summary, [tabindex="0"]'

interface Place {
  readonly element: HTMLElement
  readonly beside: readonly (Element | null)[]
}

function takesFocus(element: Element | null): element is HTMLElement {
  return (
    element instanceof HTMLElement &&
    element.isConnected &&
    !element.matches(':disabled') &&
    element.matches(`${tabbable}, [tabindex]`) &&
    element.checkVisibility({ visibilityProperty: true }) &&
    element.closest('[inert], [popover]:not(:popover-open)') === null
  )
}
