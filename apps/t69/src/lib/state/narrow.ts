import { on } from 'svelte/events'
import { createSubscriber } from 'svelte/reactivity'

const query = '(width < 760px)'
const subscribe = createSubscriber((update) => on(matchMedia(query), 'change', update))

/** Whether the window is as narrow as a phone, as a signal. Then the sidebar is a drawer, and one chat is shown. */
export function isNarrow(): boolean {
  subscribe()
  return matchMedia(query).matches
}
