import '../../zod-without-eval.ts'
import type { ImportedTree, ImportedVertex } from '@t69/sync-client'

import type { ImportedSpace } from './imported-space.ts'
import { readExport } from './read-export.ts'
import { TransferError } from './transfer-error.ts'
import { verticesPerPart, type Answer, type Answers, type Request, type TreePart } from './worker-messages.ts'
import { createSpaceZip, type SpaceZip } from './zip-space.ts'

/** Unpacks, reads, writes and packs, which takes seconds for a long history, beside the page. */

let spaces: readonly ImportedSpace[] = []
const parts: Iterator<TreePart, undefined>[] = []
let zip: SpaceZip | undefined
let added: ImportedVertex[] = []

function* partsOf(trees: Iterable<ImportedTree>): Generator<TreePart, undefined> {
  for (const { id, vertices } of trees) {
    for (let start = 0; start < vertices.length; start += verticesPerPart) {
      const end = start + verticesPerPart
      yield { id, vertices: vertices.slice(start, end), isLast: end >= vertices.length }
    }
  }
}

async function answer(request: Request): Promise<Answers[keyof Answers]> {
  switch (request.type) {
    case 'read':
      spaces = await readExport(request.file, request.name)
      parts.push(...spaces.map(({ trees }) => partsOf(trees)))
      return spaces.map(({ name, chats }) => ({ name, chats }))
    case 'next': {
      const next = parts[request.space]?.next()
      return next?.value ?? null
    }
    case 'zip':
      zip = createSpaceZip(request.name, request.exportedAt)
      return null
    case 'add': {
      const { id = '', vertices, isLast } = request.part
      added.push(...vertices)
      if (!isLast) return null
      zip?.add({ id, vertices: added })
      added = []
      return null
    }
    case 'end': {
      const blob = zip?.end()
      if (blob === undefined) throw new Error('There is no zip to end')
      return blob
    }
  }
}

addEventListener('message', ({ data }: MessageEvent<Request>) => {
  answer(data)
    .then(
      (value): Answer => ({ ok: true, value }),
      (error: unknown): Answer => {
        if (!(error instanceof TransferError)) return { ok: false, message: String(error) }
        const { problem, file, at } = error
        return { ok: false, problem, file, at }
      },
    )
    .then((reply) => postMessage(reply))
    // It cannot be copied to the page, such as text that is longer than the browser takes.
    .catch((error: unknown) => postMessage({ ok: false, message: String(error) } satisfies Answer))
})
