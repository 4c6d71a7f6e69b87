import { spaceIdentitySchema, spaceSchema, SyncError } from '@t69/protocol'

import type { Space } from '../api.ts'
import { parseInput, unlessAborted } from '../runtime/index.ts'
import type { SpaceParts } from './space.ts'

type Parts = Pick<
  SpaceParts,
  'spaceId' | 'account' | 'report' | 'statusListeners' | 'stored' | 'released' | 'tell'
>

/** What the user decides when the server has another space in the place of this one ([SI3]). */
export function createOtherSpace(parts: Parts): Pick<Space, 'otherSpace' | 'sendToOtherSpace'> {
  const { spaceId, account, report, statusListeners, stored, released, tell } = parts

  function isBlocked(): boolean {
    const { phase, error } = report()
    return phase === 'blocked' && error?.code === 'other_space'
  }

  return {
    async otherSpace() {
      if (!isBlocked()) return null
      try {
        return await account.call({ method: 'GET', path: `/api/spaces/${spaceId}` }, spaceSchema)
      } catch (error) {
        if (error instanceof SyncError && error.code === 'not_found') return null
        throw error
      }
    },
    async sendToOtherSpace(identity) {
      parseInput(spaceIdentitySchema, identity, 'identity')
      await stored()
      if (!isBlocked())
        throw new SyncError('forbidden', 'No other space has the place of this one', {
          reason: 'nothing_to_decide',
        })
      const { promise: taken, resolve } = Promise.withResolvers<void>()
      const stop = statusListeners.add(() => void (report().identity === identity && resolve()))
      tell({ type: 'other-chosen', spaceId, identity })
      await unlessAborted(taken, released()).finally(stop)
    },
  }
}
