import { on } from 'svelte/events'
import { createSubscriber } from 'svelte/reactivity'

const subscribe = createSubscriber((update) => on(document, 'visibilitychange', update))

/** Whether somebody can see the page, as a signal: not while its tab is in the background. */
export function isPageVisible(): boolean {
  subscribe()
  return document.visibilityState === 'visible'
}
