import { SyncError, type SpaceId } from '@t69/protocol'
import pLimit, { type LimitFunction } from 'p-limit'

import type { Logger } from '../ports/logger.ts'
import type { Spaces } from './spaces.ts'

/** Gives the logs of spaces their access lists when these have changed. */
export interface KeptLists {
  keep(spaceIds: readonly SpaceId[]): void
  /** For who is about to change lists, and must not confirm that before the logs have them. */
  begin(): ListsKept
}

/**
 * Resolves once the logs have the lists that have changed since `begin`, or failed to take them. Waits for those that somebody
 * changed a few of before, too: a request that is sent again changes nothing, and is confirmed no sooner than the first.
 */
export type ListsKept = () => Promise<void>

export interface KeptListsDeps {
  readonly spaces: Pick<Spaces, 'keepAccess'>
  readonly logger: Logger
}

/** How many logs are given a list at a time, in either queue. */
const atATime = 10

/**
 * Whoever is in thousands of spaces may change the lists of all at once. Those stand in a queue of their own, where nobody
 * waits behind them who changes few.
 */
export function createKeptLists({ spaces, logger }: KeptListsDeps): KeptLists {
  const few = queue()
  const many = queue()

  async function keepOne(spaceId: SpaceId, inTurn: Queue['inTurn']): Promise<void> {
    try {
      await spaces.keepAccess(spaceId, inTurn)
    } catch (error) {
      // A failure of the storage is logged where it happened. The log gets the list when it is opened next.
      if (!(error instanceof SyncError)) logger.error({ err: error, spaceId }, 'an access list is not kept')
    }
  }

  return {
    keep(spaceIds) {
      const { inTurn, underWay } = spaceIds.length > atATime ? many : few
      const kept = Promise.all(spaceIds.map((spaceId) => keepOne(spaceId, inTurn)))
      underWay.add(kept)
      void kept.then(() => underWay.delete(kept))
    },
    begin() {
      const before = new Set(many.underWay)
      return async () => {
        const since = Array.from(many.underWay).filter((kept) => !before.has(kept))
        await Promise.all([...few.underWay, ...since])
      }
    },
  }
}

interface Queue {
  readonly inTurn: LimitFunction
  readonly underWay: Set<Promise<unknown>>
}

const queue = (): Queue => ({ inTurn: pLimit(atATime), underWay: new Set() })
