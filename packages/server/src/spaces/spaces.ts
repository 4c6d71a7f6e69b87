import type { SpaceId, TreeId, TreeSnapshot } from '@t69/protocol'

import type { Space } from './space.ts'

/** The spaces of a server: opened when somebody needs one, closed when nobody has for a while. */
export interface Spaces {
  /**
   * The space's log, its file made when it is new. Whether the space exists and who may enter is the
   * platform's to say, before this. Throws `storage_failed` when the file cannot be used.
   */
  open(spaceId: SpaceId): Space
  /** A tree as the server's replica shows it. Throws `not_found` when the log has no such tree. */
  readTree(spaceId: SpaceId, treeId: TreeId): TreeSnapshot
  /** Closes the space and removes its file. Repeating it is harmless. */
  delete(spaceId: SpaceId): void
  /** Finishes commits that are under way and closes every file. */
  close(): Promise<void>
}
