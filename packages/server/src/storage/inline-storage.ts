import { type Epoch, SyncError } from '@t69/protocol'

import type { OpLogs } from '../logs/op-log.ts'
import { sizesOf } from './sizes-of.ts'
import { createStorageDesk } from './storage-desk.ts'
import type { Storage, StorageCall, StorageCalls } from './storage.ts'
import { readTree } from './tree-reader.ts'

/** A storage on the thread of its caller. Every call takes effect at once, and is answered in a microtask. */
export function createInlineStorage(opLogs: OpLogs, epoch: Epoch): Storage {
  const desk = createStorageDesk(opLogs, epoch)
  const { calls } = desk
  let isClosed = false

  const call =
    <Name extends StorageCall>(name: Name) =>
    async (given: StorageCalls[Name]['given']): Promise<StorageCalls[Name]['answer']> => {
      if (isClosed) throw new SyncError('unavailable', 'the server is shutting down')
      return calls[name](given)
    }

  return {
    open: call('open'),
    join: call('join'),
    commit: call('commit'),
    page: call('page'),
    countTree: call('countTree'),
    keepAccess: call('keepAccess'),
    release: call('release'),
    remove: call('remove'),
    bytesOf: async (spaceIds) => sizesOf(opLogs, spaceIds),
    existing: async (spaceIds) => desk.existing(spaceIds),
    readTree: async (question) => readTree(desk.logOf(question.spaceId), question),
    onLost: () => {},
    close: async () => {
      isClosed = true
      desk.closeAll()
    },
  }
}
