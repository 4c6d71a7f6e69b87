import type { Epoch, SpaceId, TreeId, TreeSnapshot } from '@t69/protocol'

import type { OpLogs } from '../storage/op-log.ts'
import type { Logger } from './logger.ts'
import type { ServerRuntime } from './server-runtime.ts'
import type { Publish, Space } from './space.ts'

/** The spaces of a server: opened when somebody needs one, closed when nobody has for a while. */
export interface Spaces {
  /**
   * The space's log, its file made when it is new. Whether the space exists and who may enter is the
   * platform's to say, before this. Throws `storage_failed` when the file cannot be used. Not to be kept
   * beyond the turn of the event loop: a space that nobody uses is closed, and opened anew.
   */
  open(spaceId: SpaceId): Space
  /** A tree as the server's replica shows it. Throws `not_found` when the log has no such tree. */
  readTree(spaceId: SpaceId, treeId: TreeId): TreeSnapshot
  /** Who hears of commits: the gateway, set once before the first push. */
  publishTo(publish: Publish): void
  /** Closes the space and removes its file. Repeating it is harmless. */
  delete(spaceId: SpaceId): void
  /** Finishes commits that are under way and closes every file. */
  close(): Promise<void>
}

export interface SpacesOptions {
  readonly opLogs: OpLogs
  /** Names this process in the logs that it commits to: a fresh random id for each start. */
  readonly epoch: Epoch
  readonly runtime?: ServerRuntime
  readonly logger?: Logger
  /** How many spaces stay open at once. */
  readonly maxOpen?: number
  /** How many operations the replicas that are kept may hold together. */
  readonly maxReplicaOps?: number
  /** How long a replica is kept after it was read last. */
  readonly replicaIdleMs?: number
}

export function createSpaces(_options: SpacesOptions): Spaces {
  throw new Error('not yet')
}
