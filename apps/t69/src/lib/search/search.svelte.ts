import type { FromWorker, Progress, SearchResults, ToWorker } from './search-results.ts'

/** How long a worker that nobody asks anything is kept, in ms: its texts take memory. */
const idleMs = 60_000
/** How long after a change the worker looks for it, in ms. */
const lookAfterMs = 1_000
/** The same for what is there when the page opens, which has more urgent things to do then, in ms. */
const firstLookMs = 15_000

/** The search over everything on this device. Its worker runs while it is used, and now and then to read what is new. */
export class Search {
  results = $state.raw<SearchResults | null>(null)
  /** The query that `results` answers. */
  answered = $state('')
  /** What is still to be read; null when everything can be found. */
  progress = $state.raw<Progress | null>(null)
  /** Not everything that is stored can be found yet. */
  isReading = $state(false)
  /** Why nothing can be found here. */
  problem = $state<string | null>(null)
  #query = ''
  #asked = 0
  #looks = 0
  /** The worker has read everything; `results` may still be from before. */
  #hasRead = false
  #spaceIds: readonly string[] = []
  #worker: Worker | null = null
  #ending: ReturnType<typeof setTimeout> | undefined
  #looking: ReturnType<typeof setTimeout> | undefined

  /** The spaces that may be searched. Their texts are read soon, and those of all others are deleted. */
  setSpaces(ids: readonly string[]): void {
    if (ids.join() === this.#spaceIds.join()) return
    const isFirst = this.#spaceIds.length === 0
    this.#spaceIds = ids
    this.#lookSoon(isFirst ? firstLookMs : lookAfterMs)
  }

  /** Something was stored: it can be found soon, if anybody is searching. */
  changed(): void {
    if (this.#worker !== null) this.#lookSoon()
  }

  /** Somebody is about to search. */
  begin(): void {
    this.problem = null
    this.#look()
  }

  /** Looks for a query; what is found comes into `results`. */
  find(query: string): void {
    this.#query = query
    if (query.trim() === '') {
      this.#asked += 1
      this.results = null
      this.answered = query
      if (this.#hasRead) this.isReading = false
    } else this.#send({ kind: 'find', id: ++this.#asked, query })
  }

  #lookSoon(afterMs = lookAfterMs): void {
    this.#looking ??= setTimeout(() => this.#look(), afterMs)
  }

  #look(): void {
    clearTimeout(this.#looking)
    this.#looking = undefined
    this.#hasRead = false
    this.isReading = true
    this.#send({ kind: 'look', id: ++this.#looks, spaceIds: this.#spaceIds })
  }

  #send(message: ToWorker): void {
    this.#worker ??= this.#start()
    clearTimeout(this.#ending)
    this.#ending = setTimeout(() => this.#end(), idleMs)
    this.#worker.postMessage(message)
  }

  #start(): Worker {
    const worker = new Worker(new URL('./search-worker.ts', import.meta.url), {
      type: 'module',
      name: 'search',
    })
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      if (worker === this.#worker) this.#hear(data)
    })
    worker.addEventListener('error', (event) => {
      event.preventDefault()
      if (worker === this.#worker) this.#fail(event.message)
    })
    return worker
  }

  #hear(message: FromWorker): void {
    if (message.kind === 'found' && message.id === this.#asked) {
      this.results = message.results
      this.answered = this.#query
      if (this.#hasRead) this.isReading = false
    } else if (message.kind === 'progress') {
      this.progress = message.progress
      // Reading much takes longer than a worker is kept for.
      clearTimeout(this.#ending)
      this.#ending = setTimeout(() => this.#end(), idleMs)
    } else if (message.kind === 'looked' && message.id === this.#looks) {
      this.progress = null
      this.#hasRead = true
      this.find(this.#query)
    } else if (message.kind === 'failed') this.#fail(message.why)
  }

  #fail(why: string): void {
    this.problem = why
    this.#end()
  }

  #end(): void {
    clearTimeout(this.#ending)
    this.#worker?.terminate()
    this.#worker = null
    this.progress = null
    this.isReading = false
  }
}
