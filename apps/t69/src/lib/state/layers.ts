/**
 * What lies over the page (a dialog, the drawer, a menu) has an entry of its own in the tab's history, above that of the
 * place it lies over. So "back" closes it, and moves nothing that lies behind: decision 0053.
 */
export interface Layers {
  /** Something was laid over the page, and `close` takes it away. Call what is returned once it is gone, however it went. */
  open(close: () => void): () => void
  /**
   * Tells of a `popstate`. Returns whether it was about layers: then the place on screen stays, and the entry of the
   * history where the tab is now has to say so. Otherwise the tab went to another place.
   */
  popped(): boolean
  /** The tab is on its way back from the entries of what was closed. Until `popped`, its history must not change. */
  readonly isReturning: boolean
}

/** How many layers an entry of the history is above its place. */
export function layerOf(entry: unknown): number {
  if (typeof entry !== 'object' || entry === null || !('layer' in entry)) return 0
  return typeof entry.layer === 'number' ? entry.layer : 0
}

interface Deps {
  readonly history: () => Pick<History, 'state' | 'pushState' | 'go'>
  /** Runs something once what is going on now is over: a menu that closes for a dialog leaves it the entry. */
  readonly later: (run: () => void) => void
}

const inBrowser: Deps = { history: () => history, later: (run) => void setTimeout(run) }

export function createLayers({ history, later }: Deps = inBrowser): Layers {
  /** What takes them away, the lowest first. */
  let closers: (() => void)[] = []
  let isReturning = false
  let isDue = false

  function settleLater(): void {
    if (isDue) return
    isDue = true
    later(() => {
      isDue = false
      settle()
    })
  }

  /** Gives each open layer an entry, and leaves those of closed ones. */
  function settle(): void {
    if (isReturning) return
    const entry: unknown = history().state
    for (let layer = layerOf(entry) + 1; layer <= closers.length; layer++)
      history().pushState({ ...(typeof entry === 'object' ? entry : {}), layer }, '')
    const left = layerOf(entry) - closers.length
    if (left <= 0) return
    isReturning = true
    history().go(-left)
  }

  return {
    open(close) {
      closers.push(close)
      settleLater()
      return () => {
        closers = closers.filter((each) => each !== close)
        settleLater()
      }
    },
    popped() {
      const entry: unknown = history().state
      if (isReturning) {
        isReturning = false
        settleLater()
        return true
      }
      const above = closers.slice(layerOf(entry))
      closers = closers.slice(0, layerOf(entry))
      for (const close of above.toReversed()) close()
      // An address that somebody typed has no entry of ours. Nothing of the place before lies over it.
      return above.length > 0 && entry !== null
    },
    get isReturning() {
      return isReturning
    },
  }
}
