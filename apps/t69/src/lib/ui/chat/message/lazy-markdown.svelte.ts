import type * as markdown from './markdown/index.ts'

/**
 * What reads, shows and copies Markdown, loaded when a chat is first opened: nothing on the first screen needs it. It loads while
 * the chat's tree does.
 */

type Loaded = typeof markdown

let loaded = $state.raw<Loaded>()
let isSettled = $state(false)
let loading: Promise<void> | undefined

export const lazyMarkdown = {
  /** Undefined as long as it is not there. Messages are shown as plain text then. */
  get component(): Loaded['Markdown'] | undefined {
    return loaded?.Markdown
  },
  get createSpeech(): Loaded['createSpeech'] | undefined {
    return loaded?.createSpeech
  },
  /** Until it is there, the browser copies in its own way. */
  get copySelection(): Loaded['copySelection'] | undefined {
    return loaded?.copySelection
  },
  /** It is there, or does not come: messages need not wait for it any longer. */
  get isSettled(): boolean {
    return isSettled
  },
  load(): Promise<void> {
    loading ??= load()
    return loading
  },
}

async function load(): Promise<void> {
  try {
    loaded = await import('./markdown/index.ts')
  } catch {
    // Without a network: what it says can still be read.
  }
  isSettled = true
}
