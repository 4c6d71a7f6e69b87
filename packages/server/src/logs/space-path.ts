import { join } from 'node:path'

import type { SpaceId } from '@t69/protocol'

/** An empty file that says, beside the files of spaces, that this one was deleted. It stays for ever. */
export function pathOfDeletion(dataDir: string, spaceId: SpaceId): string {
  return join(dataDir, spaceId.slice(0, 2), `${spaceId}.deleted`)
}

/** Where a space's file is. The first two characters spread thousands of files over folders. */
export function pathOfSpace(dataDir: string, spaceId: SpaceId): string {
  return join(dataDir, spaceId.slice(0, 2), `${spaceId}.db`)
}
