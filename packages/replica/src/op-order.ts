import type { OpId } from 'reptree'

/**
 * Compares two ids in the total order of operations: by counter, then by the UTF-16 code units of the peer id. RepTree
 * uses `localeCompare` for peers, and so has another order in a Danish browser.
 */
export function compareOpIds(a: OpId, b: OpId): number {
  if (a.counter !== b.counter) return a.counter < b.counter ? -1 : 1
  if (a.peerId === b.peerId) return 0
  return a.peerId < b.peerId ? -1 : 1
}

/** Sorts in place. Only scans a list that is already sorted, as a log that is read back usually is. */
export function sortById<Item>(items: Item[], idOf: (item: Item) => OpId): Item[] {
  for (let index = 1; index < items.length; index++) {
    const before = items[index - 1]
    const item = items[index]
    if (before === undefined || item === undefined) break
    if (compareOpIds(idOf(before), idOf(item)) > 0) {
      return items.sort((a, b) => compareOpIds(idOf(a), idOf(b)))
    }
  }
  return items
}
