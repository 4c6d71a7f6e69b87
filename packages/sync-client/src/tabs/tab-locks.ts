import { randomHexId } from '@t69/protocol'

import { hasChannels, pageStore } from '../runtime/index.ts'

/**
 * The locks that the tabs of an origin share: what is used here of the Web Locks of browsers. A lock is held until
 * `granted` settles, or its tab is gone. The promise settles as `granted` does; it rejects if `signal` aborts the wait,
 * and if another tab steals the lock.
 */
export interface TabLocks {
  request<T>(
    name: string,
    how: { readonly signal: AbortSignal } | { readonly steal: true },
    granted: () => Promise<T>,
  ): Promise<T>
  query(): Promise<{ readonly held?: readonly { readonly name?: string | undefined }[] }>
}

let channelLocks: TabLocks | undefined

/** Returns the page's locks: Web Locks, or over plain HTTP our own. Undefined where a page has neither. */
export function tabLocks(): TabLocks | undefined {
  if ('locks' in navigator) {
    const { locks } = navigator
    return { request: (name, how, granted) => locks.request(name, how, granted), query: () => locks.query() }
  }
  if (channelLocks === undefined && hasChannels()) {
    const registry = pageStore()
    if (registry !== undefined) channelLocks = lazyChannelLocks(registry)
  }
  return channelLocks
}

/** Loads our own locks with the first request, which few pages make. Requests keep their order. */
function lazyChannelLocks(registry: Storage): TabLocks {
  let loading: Promise<TabLocks> | undefined
  async function load(): Promise<TabLocks> {
    const { createChannelLocks } = await import('./channel-locks.ts')
    const locks = createChannelLocks('t69-locks', { id: randomHexId(), registry })
    // A page that may come back keeps its place. If it is asked meanwhile and does not answer, it loses it.
    addEventListener('pagehide', (event) => void (event.persisted || locks.close()))
    return locks
  }
  function loaded(): Promise<TabLocks> {
    loading ??= load().catch((error: unknown) => {
      // Who asks again may have a network by then.
      loading = undefined
      throw error
    })
    return loading
  }
  return {
    request: async (name, how, granted) => (await loaded()).request(name, how, granted),
    query: async () => (await loaded()).query(),
  }
}
