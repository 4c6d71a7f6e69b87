import { SvelteSet } from 'svelte/reactivity'

/**
 * Which part of a long list is in the page. The list is cut into slices of a few messages. Every slice has an element, and
 * only those near the view hold their messages; the others have the height that their messages had, or are likely to have.
 * So scrolling, selecting, printing and the scrollbar are the browser's own (decision 0049).
 */

/** How many messages are in a slice. */
export const sliceLength = 8
/** How far outside of the view a slice is near it, in px. */
const nearPx = 1_500
/** How many slices keep their messages. Beyond that, those that leave the view lose what was opened in them. */
const mostHeld = 40
/** How many slices get their elements in one frame, the newest first. */
const madeAtOnce = 64
/** What a slice is taken to be high before one was measured, in px. */
const firstGuess = sliceLength * 110

export interface ListWindow {
  /** The slices that have an element. Those before them get one within the next frames. */
  readonly made: readonly number[]
  /** How high the others are, in px. */
  readonly heightBefore: number
  /** Whether the slice holds its messages. */
  holds(slice: number): boolean
  /** How high a slice is that does not, in px. */
  heightOf(slice: number): number
  /** For the element of each slice. */
  watch(slice: number): (element: HTMLElement) => () => void
  /** Has a slice hold its messages from now on. */
  hold(slice: number): void
  /** Has all of them do so, for printing. */
  holdAll(isOn: boolean): void
}

/**
 * `count`: how many slices there are. `moved` is told how many px the content above the view has grown by, before that is
 * painted.
 */
export function createListWindow(count: () => number, moved: (px: number) => void): ListWindow {
  const held = new SvelteSet<number>()
  const indexes = new WeakMap<Element, number>()
  /** How high each slice is, in px. */
  const heights = new Map<number, number>()
  let guess = $state(firstGuess)
  let isMeasured = false
  let holdsAll = $state(false)
  /** How many of the newest slices have an element, until all have one. */
  let newest = $state(madeAtOnce)
  const firstMade = $derived(Math.max(0, count() - newest))
  const made = $derived(Array.from({ length: count() - firstMade }, (_, index) => firstMade + index))

  $effect(() => {
    if (newest === Number.POSITIVE_INFINITY || count() === 0) return undefined
    const next = newest + madeAtOnce
    const frame = requestAnimationFrame(() => {
      newest = next < count() ? next : Number.POSITIVE_INFINITY
    })
    return () => cancelAnimationFrame(frame)
  })

  let nearby: IntersectionObserver | undefined

  // The newest messages are there at once.
  const holds = (slice: number): boolean => holdsAll || slice >= count() - 2 || held.has(slice)

  const sizes = new ResizeObserver((entries) => {
    let shift = 0
    for (const { target, borderBoxSize } of entries) {
      const slice = indexes.get(target)
      const height = borderBoxSize[0]?.blockSize
      const view = target.closest('[data-scroller]')
      if (slice === undefined || height === undefined || view === null) continue
      const before = heights.get(slice)
      heights.set(slice, height)
      // What has no element yet could not say that it has moved the view.
      if (!isMeasured && firstMade === 0 && holds(slice) && slice < count() - 1) {
        isMeasured = true
        guess = height
      }
      if (before === undefined || before === height) continue
      const top = target.getBoundingClientRect().top - view.getBoundingClientRect().top - shift
      if (top + before <= 0) shift += height - before
    }
    if (shift !== 0) moved(shift)
  })

  function entered(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      const slice = indexes.get(target)
      if (slice === undefined) continue
      if (isIntersecting) held.add(slice)
      else if (held.size > mostHeld && !isInUse(target)) held.delete(slice)
    }
  }

  return {
    get made() {
      return made
    },
    get heightBefore() {
      return firstMade * guess
    },
    holds,
    heightOf: (slice) => heights.get(slice) ?? guess,
    watch(slice) {
      return (element) => {
        indexes.set(element, slice)
        nearby ??= new IntersectionObserver(entered, {
          root: element.closest('[data-scroller]'),
          rootMargin: `${nearPx}px 0px`,
        })
        nearby.observe(element)
        sizes.observe(element)
        return () => {
          nearby?.unobserve(element)
          sizes.unobserve(element)
          heights.delete(slice)
        }
      }
    },
    hold(slice) {
      if (slice < firstMade) newest = Number.POSITIVE_INFINITY
      held.add(slice)
    },
    holdAll(isOn) {
      newest = Number.POSITIVE_INFINITY
      holdsAll = isOn
    },
  }
}

/** Somebody writes in it, or has selected some of it. */
function isInUse(element: Element): boolean {
  if (element.contains(document.activeElement) || element.querySelector('textarea') !== null) return true
  const selection = getSelection()
  return selection !== null && !selection.isCollapsed && selection.containsNode(element, true)
}
