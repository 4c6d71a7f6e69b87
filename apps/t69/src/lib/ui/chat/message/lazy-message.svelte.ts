import type MessageComponent from './Message.svelte'

/**
 * What shows a message, loaded when a chat is first opened, while its tree loads: a first visit has none. Nothing can be read
 * without it, so the service worker keeps it from the first visit on.
 */

let component = $state.raw<typeof MessageComponent>()
let failure = $state.raw<unknown>()
let loading: Promise<void> | undefined

export const lazyMessage = {
  get component(): typeof MessageComponent | undefined {
    return component
  },
  /** Why it did not come. Browsers do not ask again for what failed once, until the page is loaded anew. */
  get failure(): unknown {
    return failure
  },
  load(): Promise<void> {
    loading ??= load()
    return loading
  },
}

async function load(): Promise<void> {
  try {
    component = (await import('./Message.svelte')).default
  } catch (error) {
    failure = error
  }
}
