import { beforeEach, expect, test, vi } from 'vitest'

import type { FromWorker, ToWorker } from './search-results.ts'

// Without Svelte's compiler, a rune is a plain value.
vi.stubGlobal(
  '$state',
  Object.assign(<T>(value: T): T => value, { raw: <T>(value: T): T => value }),
)
const { Search } = await import('./search.svelte.ts')

/** A worker that does nothing by itself: the test answers for it. */
class SilentWorker extends EventTarget {
  static last: SilentWorker
  readonly heard: ToWorker[] = []

  constructor() {
    super()
    SilentWorker.last = this
  }

  postMessage(message: ToWorker): void {
    this.heard.push(message)
  }

  terminate(): void {}

  tell(message: FromWorker): void {
    this.dispatchEvent(new MessageEvent('message', { data: message }))
  }

  /** The ids of all messages of a kind that it was sent. */
  ids(kind: ToWorker['kind']): readonly number[] {
    return this.heard.flatMap((message) => (message.kind === kind ? [message.id] : []))
  }
}

beforeEach(() => {
  vi.stubGlobal('Worker', SilentWorker)
  vi.useFakeTimers()
  return () => vi.useRealTimers()
})

test('a search that begins while an earlier look is under way waits for its own', () => {
  const search = new Search()
  search.begin()
  const worker = SilentWorker.last
  search.changed()
  vi.advanceTimersByTime(1_000)
  search.begin()
  search.find('lilies')
  const [, earlier, own] = worker.ids('look')
  const nothing = { chats: [], messages: [] }
  const found = (results = nothing): void =>
    worker.tell({ kind: 'found', id: worker.ids('find').at(-1) ?? 0, results })

  worker.tell({ kind: 'looked', id: earlier ?? 0 })
  found()
  expect(search.isReading).toBe(true)

  worker.tell({ kind: 'looked', id: own ?? 0 })
  expect(search.isReading).toBe(true)
  found()
  expect(search.isReading).toBe(false)
})
