import type { WakeCause } from '../link/index.ts'

export interface PageListener {
  /** Someone looks at the page again, or the browser says that there is a network again. */
  wake(cause: WakeCause): void
  /** The browser says that there is no network. */
  offline(): void
  /** The page may be gone in a moment. */
  hide(): void
  /** The page was frozen, and may have missed what other tabs said, and that the connection went. */
  thaw(): void
}

/** What a page is told by its browser. Elsewhere, nothing. Returns what stops it. */
export function onPageEvents(listener: PageListener): () => void {
  if (typeof document === 'undefined') return () => {}
  const stop = new AbortController()
  const options = { signal: stop.signal }
  addEventListener('online', () => listener.wake('network'), options)
  addEventListener('offline', () => listener.offline(), options)
  addEventListener('pagehide', () => listener.hide(), options)
  addEventListener('pageshow', (event) => void (event.persisted && listener.thaw()), options)
  document.addEventListener('resume', () => listener.thaw(), options)
  document.addEventListener(
    'visibilitychange',
    () => (document.visibilityState === 'hidden' ? listener.hide() : listener.wake('somebody')),
    options,
  )
  return () => stop.abort()
}

export function isLookedAt(): boolean {
  return typeof document !== 'undefined' && document.visibilityState === 'visible'
}
