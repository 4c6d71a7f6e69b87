import { seqSchema, treeSchema, type SpaceId, type TreeId } from '@t69/protocol'

import type { Account } from '../account/index.ts'
import type { PastTree } from '../api.ts'
import { parseInput } from '../runtime/index.ts'

/** Reads a tree of a space from the server, as it was at a position of the log. */
export async function readPastTree(
  account: Account,
  { spaceId, treeId }: { readonly spaceId: SpaceId; readonly treeId: TreeId },
  seq: number,
): Promise<PastTree> {
  const at = parseInput(seqSchema.min(1), seq, 'seq')
  const path = `/api/spaces/${spaceId}/trees/${encodeURIComponent(treeId)}?at=${at}`
  const { vertices, commit } = await account.call({ method: 'GET', path }, treeSchema)
  const { userId, at: committedAt } = commit
  return { vertices, commit: userId === null ? null : { userId, at: committedAt } }
}
