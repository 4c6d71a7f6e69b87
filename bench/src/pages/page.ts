/** What a page found out about one document. */
export interface Opened {
  /** From the begin of the navigation until the whole document could be read, in ms. */
  readonly ms: number
  /** How long the page did not answer, at most, in ms. Chromium tells of tasks of 50 ms and more: 0 stands for less. */
  readonly longestTaskMs: number
  readonly size: number
}

/** A document that a page opens. */
export interface OpenedDoc {
  get(key: string): unknown
  /** How many texts it has. */
  size(): number
  /** Resolves when it is on this device's disk. */
  stored(): Promise<unknown>
}

/** Makes `opened` of this page measure how long it takes to `open` a document, until a key can be read. */
export function measureIn(open: (name: string) => Promise<OpenedDoc>): void {
  const tasks: PerformanceEntry[] = []
  new PerformanceObserver((list) => void tasks.push(...list.getEntries())).observe({
    type: 'longtask',
    buffered: true,
  })

  async function opened(name: string, lastKey: string): Promise<Opened> {
    const doc = await open(name)
    while (doc.get(lastKey) === undefined) await new Promise(requestAnimationFrame)
    const ms = performance.now()
    await doc.stored()
    // The observer is told of a task some time later.
    await new Promise((resolve) => setTimeout(resolve, 500))
    const durations = tasks.filter(({ startTime }) => startTime < ms).map(({ duration }) => duration)
    return { ms, longestTaskMs: Math.max(0, ...durations), size: doc.size() }
  }
  Reflect.set(globalThis, 'opened', opened)
}
