import { SyncError, type Ack, type RequestReply, type SpaceId, type SpaceSummary } from '@t69/protocol'

import type { Link } from '../link/index.ts'

/**
 * What became of it: the space is joined; the server has refused it for now; or its version does not say what a space is,
 * for which it has to be asked over HTTP.
 */
export type Entering = 'entered' | 'refused' | 'undescribed'

/**
 * Joins a space of which only the id is known. `take` is called in the turn of the reply, before anything else is heard of the
 * space. It returns false, or throws, to leave again; otherwise whoever syncs the space begins with `joined`, on which the first join is
 * answered already. Rejects with `not_found`, and with what `take` throws. Does not leave a space that `isWatched`: somebody else
 * has joined it over the same link.
 */
export function enterSpace(
  spaceId: SpaceId,
  link: Link,
  take: (space: SpaceSummary, joined: Link) => boolean,
  isWatched: () => boolean = () => false,
): Promise<Entering> {
  const { promise, resolve, reject } = Promise.withResolvers<Entering>()

  function answered(ack: Ack<RequestReply<'space:join'>>): void {
    if (!ack.ok) {
      if (ack.error.code === 'not_found') reject(SyncError.from(ack.error))
      else resolve('refused')
      return
    }
    const { identity, role, space } = ack
    try {
      const taken =
        space !== undefined && take({ id: spaceId, identity, role, ...space }, joinedBy(link, ack))
      if (!taken) leave()
      resolve(taken ? 'entered' : space === undefined ? 'undescribed' : 'refused')
    } catch (error) {
      leave()
      reject(error)
    }
  }

  function leave(): void {
    if (!isWatched()) link.request('space:leave', { spaceId }, () => {})
  }

  link.request('space:join', { spaceId, page: {}, describe: true }, answered)
  return promise
}

/** The link, on which the first join has this answer already. */
function joinedBy(link: Link, ack: Ack<RequestReply<'space:join'>>): Link {
  let isHeld = true
  return {
    request(name, payload, answered) {
      if (name !== 'space:join' || !isHeld) return link.request(name, payload, answered)
      isHeld = false
      answered(ack)
    },
    signal: (name, payload) => link.signal(name, payload),
  }
}
