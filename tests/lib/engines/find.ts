/** How to find elements: each step narrows what the one before has found, beginning with the document. */
export type Step =
  | { readonly css: string }
  | { readonly text: string }
  | { readonly has: readonly Step[] }
  | { readonly at: number }

/** Runs in the page, and so refers to nothing outside itself. */
export function find(steps: readonly Step[], within: ParentNode = document): Element[] {
  const words = (element: Element): string => (element.textContent ?? '').replaceAll(/\s+/g, ' ').trim()
  let found: ParentNode[] = [within]
  for (const step of steps) {
    if ('css' in step) {
      found = [...new Set(found.flatMap((element) => [...element.querySelectorAll(step.css)]))]
    } else if ('text' in step) {
      // The innermost elements with just this text, which may be the one found so far.
      const all = found.flatMap((element) => [element, ...element.querySelectorAll('*')])
      const same = all.filter((element) => element instanceof Element && words(element) === step.text)
      found = same.filter((element) => !same.some((other) => other !== element && element.contains(other)))
    } else if ('has' in step) {
      found = found.filter((element) => find(step.has, element).length > 0)
    } else {
      found = found.slice(step.at, step.at + 1)
    }
  }
  return found.filter((element) => element instanceof Element)
}

/**
 * Where on screen an element is that a person wants to use, or why they have to wait. Runs in the page. With `guards`,
 * a click that follows does nothing if it meets something else, because the page has changed meanwhile: see `wasMet`.
 */
export function aim(elements: readonly Element[], guards: boolean): { x: number; y: number } | string {
  const [element, ...more] = elements
  if (element === undefined) return 'there is none'
  if (more.length > 0) return `there are ${elements.length}`
  if (!element.checkVisibility({ visibilityProperty: true })) return 'it is not visible'
  if (element.matches(':disabled')) return 'it is disabled'
  element.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' })
  const { left, top, width, height } = element.getBoundingClientRect()
  const point = { x: Math.round(left + width / 2), y: Math.round(top + height / 2) }
  const isMetBy = (hit: unknown): boolean =>
    hit instanceof Element && (element.contains(hit) || hit.closest('label')?.contains(element) === true)
  const hit = document.elementFromPoint(point.x, point.y)
  if (hit === null) return 'it is outside the window'
  if (!isMetBy(hit)) return `it is behind ${hit.outerHTML.slice(0, 120)}`
  if (guards) {
    const events = ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click']
    let isMet = true
    const check = (event: Event): void => {
      // It may move between the press and the release. One that acts on the press may be gone by then.
      isMet &&= isMetBy(event.target) || !element.isConnected
      if (isMet) return
      event.preventDefault()
      event.stopImmediatePropagation()
    }
    for (const type of events) addEventListener(type, check, { capture: true })
    globalThis.endGuard = () => {
      for (const type of events) removeEventListener(type, check, { capture: true })
      return isMet
    }
  }
  return point
}

declare global {
  var endGuard: (() => boolean) | undefined
}

/** Whether the last click met its element. In a page that came since, it did. Runs in the page. */
export const wasMet = (): boolean => globalThis.endGuard?.() ?? true
