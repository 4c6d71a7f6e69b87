import { startOfText } from '@t69/protocol'
import type { ImportedTree, ImportedVertex, SyncClient } from '@t69/sync-client'

import type { Progress } from './export-space.ts'
import { startTransferJob, type TransferJob } from './transfer-job.ts'

/** A space that was made from a file. */
export interface MadeSpace {
  readonly id: string
  readonly name: string
  readonly chats: number
}

/**
 * Makes the spaces of a file, each of which is seen once all of it is stored. If it fails or is cancelled, none is left.
 * Rejects with a `TransferError`, or with the signal's reason.
 */
export async function importFile(
  client: SyncClient,
  file: File,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<MadeSpace[]> {
  const job = startTransferJob(signal)
  const made: MadeSpace[] = []
  try {
    const spaces = await job.ask({ type: 'read', file, name: file.name })
    const all = spaces.reduce((sum, { chats }) => sum + chats, 0)
    let done = 0
    for (const [index, { name, chats }] of spaces.entries()) {
      const trees = treesOf(job, index, () => onProgress({ done: Math.min(done++, all), of: all }))
      const id = await client.importSpace({ name: nameThatFits(name), trees }, { signal })
      made.push({ id, name, chats })
    }
    onProgress({ done: all, of: all })
    return made
  } catch (error) {
    for (const { id } of made) await client.deleteSpace(id).catch(() => {})
    throw error
  } finally {
    job.end()
  }
}

async function* treesOf(job: TransferJob, space: number, onTree: () => void): AsyncGenerator<ImportedTree> {
  let vertices: ImportedVertex[] = []
  for (;;) {
    const part = await job.ask({ type: 'next', space })
    if (part === null) return
    for (const vertex of part.vertices) vertices.push(vertex)
    if (!part.isLast) continue
    onTree()
    yield { id: part.id, vertices }
    vertices = []
  }
}

/** A space has a name of one to 200 characters. */
function nameThatFits(name: string): string {
  return startOfText(name.trim(), 190).toWellFormed() || 'Imported'
}
