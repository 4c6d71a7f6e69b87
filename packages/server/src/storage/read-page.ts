import { encodeBatch, limits, packBatches, SyncError } from '@t69/protocol'

import type { OpLog } from '../logs/op-log.ts'
import { batchOf, compress } from '../logs/segment.ts'
import { stateOf } from './log-state.ts'
import type { LogPage, StorageCalls } from './storage.ts'

/** Bytes of a batch that is worth compressing for one reader: half of it is a few packets. */
const minCompressedBytes = 8 * 1024

/** The page after `after`: as many operations as fit. Throws `invalid_request` for a position after the head. */
export function readPage(
  log: OpLog,
  { spaceId, after, maxBytes, takesCompressed = false }: StorageCalls['page']['given'],
): LogPage {
  const state = stateOf(log)
  if (after > state.head) {
    throw new SyncError('invalid_request', `the log ends at ${state.head}`, { at: 'after' })
  }
  const segment = log.segmentAt(after)
  const size = takesCompressed ? segment?.page.length : segment?.bytes
  if (segment?.after === after && size !== undefined && size <= maxBytes) {
    const { cursor } = segment
    const commits = log.commits({ after, cursor }, limits.maxCommitsPerPage)
    // A copy, since the bytes of a page are handed over to another thread.
    const batch = takesCompressed ? new Uint8Array(segment.page) : batchOf(segment)
    return { state, after, cursor, batch, commits }
  }
  // The page that begins within a segment ends with it: then the next one can be a segment as it is.
  const maxOps = segment === undefined ? limits.maxBatchOps : segment.cursor - after
  // Encoded operations are smaller than what was read for them, so all of them fit the first batch.
  const read = log.read(after, { maxOps, maxBytes })
  // One more than fits: where it begins, the page ends.
  const found = log.commits({ after, cursor: after + read.length }, limits.maxCommitsPerPage + 1)
  const beyond = found[limits.maxCommitsPerPage]
  const ops = beyond === undefined ? read : read.slice(0, beyond.after - after)
  const page = packBatches(spaceId, ops, { budgetBytes: maxBytes }).next()
  if (page.done === true) {
    return { state, after, cursor: after, batch: encodeBatch({ spaceId, ops: [] }), commits: [] }
  }
  const cursor = after + page.value.count
  const commits = found.filter((commit) => commit.after < cursor)
  const { bytes } = page.value
  const batch = takesCompressed && bytes.length >= minCompressedBytes ? compress(bytes, 'once') : bytes
  return { state, after, cursor, batch, commits }
}
