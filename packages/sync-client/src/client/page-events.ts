import type { WakeCause } from '../link/index.ts'

export interface PageListener {
  /** Somebody looks at the page again, or the browser reports a network. */
  wake(cause: WakeCause): void
  /** The browser reports no network. */
  offline(): void
  /** The page is hidden, and may be closed without another event. */
  hide(): void
  /** The page was frozen. It may have missed messages of other tabs, and the end of the connection. */
  thaw(): void
}

/** Listens to the events of the page, where there is one. Returns a function that stops listening. */
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

export function isVisible(): boolean {
  return typeof document !== 'undefined' && document.visibilityState === 'visible'
}
