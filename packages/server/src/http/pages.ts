import { limits, type PageQuery, SyncError } from '@t69/protocol'

/** A place in a list that is ordered by time, and by id where times are equal. */
export interface Place {
  /** Unix milliseconds. */
  readonly time: number
  readonly id: string
}

/** Before every entry. */
const start: Place = { time: -1, id: '' }

/** What a page takes besides its entries, in bytes. */
const envelopeBytes = 1_000

/** The place that a page begins after. Throws `invalid_request` for text that is no `next` of a page. */
export function placeBefore({ after }: PageQuery): Place {
  if (after === undefined) return start
  const [, time, id] = /^(\d{1,16})\.([0-9a-f-]{32,36})$/.exec(after) ?? []
  if (time !== undefined && id !== undefined) return { time: Number(time), id }
  throw new SyncError('invalid_request', 'This is not the `next` of a page of this list', { at: 'after' })
}

export interface Page<Entry> {
  readonly entries: Entry[]
  /** Where the next page begins. Absent when no entry is left. */
  readonly next?: string
}

/** Takes entries from the start of `rest`, as many as one page may have ([LI13]). */
export function firstPage<Entry>(
  rest: readonly Entry[],
  { limit = rest.length }: PageQuery,
  placeOf: (entry: Entry) => Place,
): Page<Entry> {
  const entries: Entry[] = []
  let bytes = envelopeBytes
  for (const entry of rest) {
    bytes += Buffer.byteLength(JSON.stringify(entry)) + 1
    if (entries.length === limit || bytes > limits.maxMessageBytes) break
    entries.push(entry)
  }
  const last = entries.at(-1)
  if (last === undefined || entries.length === rest.length) return { entries }
  const { time, id } = placeOf(last)
  return { entries, next: `${time}.${id}` }
}

/** A page of a list of which all entries are at hand, in the order of their places. */
export function pageOf<Entry>(
  all: readonly Entry[],
  query: PageQuery,
  placeOf: (entry: Entry) => Place,
): Page<Entry> {
  const before = placeBefore(query)
  const rest = all.filter((entry) => comparePlaces(placeOf(entry), before) > 0)
  return firstPage(
    rest.toSorted((a, b) => comparePlaces(placeOf(a), placeOf(b))),
    query,
    placeOf,
  )
}

function comparePlaces(a: Place, b: Place): number {
  return a.time - b.time || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
