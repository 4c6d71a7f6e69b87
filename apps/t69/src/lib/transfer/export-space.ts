import type { Space } from '@t69/sync-client'

import { fileTreeOf, type FileTree } from './space-file.ts'
import { startTransferJob, type TransferJob } from './transfer-job.ts'
import { verticesPerPart } from './worker-messages.ts'

/** How far an export or an import is, in chats. */
export interface Progress {
  readonly done: number
  readonly of: number
}

/**
 * The space as a zip: what this device has of it and nobody has deleted, without keys. Rejects with the signal's reason.
 */
export async function exportSpace(
  space: Space,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Blob> {
  const job = startTransferJob(signal)
  try {
    await job.ask({ type: 'zip', name: space.name, exportedAt: new Date() })
    const own = fileTreeOf(space.root, space.id)
    await add(job, own)
    const tids = own.vertices.flatMap(({ properties: { tid } }) => (typeof tid === 'string' ? [tid] : []))
    const chats = [...new Set(tids)]
    for (const [done, treeId] of chats.entries()) {
      onProgress({ done, of: chats.length })
      const tree = await space.openTree(treeId)
      try {
        await add(job, fileTreeOf(tree, treeId))
      } finally {
        await space.closeTree(treeId)
      }
    }
    onProgress({ done: chats.length, of: chats.length })
    return await job.ask({ type: 'end' })
  } finally {
    job.end()
  }
}

async function add(job: TransferJob, { id, vertices }: FileTree): Promise<void> {
  for (let start = 0; start < vertices.length; start += verticesPerPart) {
    const end = start + verticesPerPart
    const part = { id, vertices: vertices.slice(start, end), isLast: end >= vertices.length }
    await job.ask({ type: 'add', part })
  }
}
