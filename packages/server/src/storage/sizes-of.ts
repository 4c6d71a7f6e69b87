import type { SpaceId } from '@t69/protocol'

import type { OpLogs } from '../logs/op-log.ts'

/** How many bytes the logs of the spaces take. One that cannot be read counts 0. */
export function sizesOf(opLogs: Pick<OpLogs, 'bytesOf'>, spaceIds: readonly SpaceId[]): number {
  let bytes = 0
  for (const spaceId of spaceIds) {
    try {
      bytes += opLogs.bytesOf(spaceId)
    } catch {
      // The failure of one file must not affect the others.
    }
  }
  return bytes
}
