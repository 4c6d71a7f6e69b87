import { on } from 'svelte/events'

/** How close to the end, in px, a reader who scrolls down is at the end again. One who scrolls up has left it at once. */
const nearEnd = 120

/** What keeps the end of a list in view as it grows, until the reader scrolls away from it. */
export interface EndFollower {
  /** The list follows its end. Set it to follow from now on, wherever the reader has scrolled, or to stay where they are. */
  atEnd: boolean
  /** Attached to the element that scrolls. */
  readonly scrolls: (scroller: HTMLElement) => () => void
  /** Attached to what is in it, and grows. */
  readonly grows: (list: HTMLElement) => () => void
  toEnd(): void
  /** What is above the view became higher by `px`: what is in view stays where it is. */
  shift(px: number): void
}

/** `hasEnd`: whether there is an end to follow. What an empty list says begins at its top. */
export function createEndFollower(hasEnd: () => boolean): EndFollower {
  let scroller: HTMLElement | undefined
  let atEnd = $state(true)
  /** Where the list was scrolled to, in px, when it last said so. */
  let lastTop = 0
  const observer = new ResizeObserver(() => {
    if (atEnd) toEnd()
  })

  function scrollTo(top: number): void {
    if (scroller === undefined) return
    scroller.scrollTop = top
    // The event that this causes must not look like the reader's.
    lastTop = scroller.scrollTop
  }

  function toEnd(): void {
    if (hasEnd()) scrollTo(scroller?.scrollHeight ?? 0)
  }

  function scrolled(this: HTMLElement): void {
    const { scrollTop, scrollHeight, clientHeight } = this
    const fromEnd = scrollHeight - scrollTop - clientHeight
    // A list that got shorter moves up too, but stays at its end.
    if (scrollTop < lastTop && fromEnd > 1) atEnd = false
    else if (scrollTop > lastTop && fromEnd < nearEnd) atEnd = true
    lastTop = scrollTop
  }

  /** The wheel is turned before the list moves, which may grow in between. */
  function wheeled(this: HTMLElement, { deltaY }: WheelEvent): void {
    if (deltaY < 0 && this.scrollTop > 0) atEnd = false
  }

  function observe(element: HTMLElement): () => void {
    observer.observe(element)
    return () => observer.unobserve(element)
  }

  return {
    get atEnd() {
      return atEnd
    },
    set atEnd(follows) {
      atEnd = follows
    },
    scrolls(element) {
      scroller = element
      const unobserve = observe(element)
      const left = [on(element, 'scroll', scrolled), on(element, 'wheel', wheeled)]
      return () => {
        unobserve()
        for (const leave of left) leave()
      }
    },
    grows: observe,
    toEnd,
    shift(px) {
      if (scroller !== undefined && !atEnd) scrollTo(scroller.scrollTop + px)
    },
  }
}
