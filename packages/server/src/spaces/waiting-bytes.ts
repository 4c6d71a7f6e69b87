import { limits, SyncError, type UserId } from '@t69/protocol'

/** Bytes of pushes that may wait for the storage, of everybody together and of one user. */
const maxBytes = 64 * 1024 * 1024
const maxBytesOfUser = 16 * 1024 * 1024

/** Bytes that may wait of a user whatever waits of the others: a push. */
const fewBytes = limits.maxBatchBytes + 1024

/** Bytes that a push takes besides its batch. */
const bytesPerPush = 512

/** Wait after a refusal, in ms: what waits is written within about that time. */
const retryAfterMs = 1_000

/** Bounds the pushes that wait for the storage, in all spaces: first of those who have much waiting. */
export interface WaitingBytes {
  /** Counts a push of so many bytes, until the returned function is called. Throws `unavailable` when too much waits. */
  add(userId: UserId, bytes: number): () => void
}

export function createWaitingBytes(): WaitingBytes {
  let total = 0
  const byUser = new Map<UserId, number>()
  return {
    add: (userId, batchBytes) => {
      const bytes = batchBytes + bytesPerPush
      const ofUser = (byUser.get(userId) ?? 0) + bytes
      const isFull = total + bytes > maxBytes && ofUser > fewBytes
      if (isFull || ofUser > maxBytesOfUser) {
        throw new SyncError('unavailable', 'too much is waiting to be stored', { retryAfterMs })
      }
      total += bytes
      byUser.set(userId, ofUser)
      return () => {
        total -= bytes
        const left = (byUser.get(userId) ?? 0) - bytes
        if (left > 0) byUser.set(userId, left)
        else byUser.delete(userId)
      }
    },
  }
}
