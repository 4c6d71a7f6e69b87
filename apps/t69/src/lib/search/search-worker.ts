import '../../zod-without-eval.ts'
import { localdb } from '@t69/sync-client'

import type { FromWorker, ToWorker } from './search-results.ts'
import { createTextIndex, type TextIndex } from './text-index.ts'
import { openTextStore } from './text-store.ts'

/** Reads, keeps and searches the texts on this device, beside the page, which never waits for it. */

const tell = (message: FromWorker): void => postMessage(message)
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

let index: Promise<TextIndex> | undefined
/** The query asked last; one before it is not worth finishing. */
let asked = 0
/** One look at a time; the one asked for last is the next. */
let next: { readonly id: number; readonly spaceIds: readonly string[] } | undefined
let isLooking = false

function open(): Promise<TextIndex> {
  index ??= openTextStore().then((store) =>
    createTextIndex({
      operations: localdb,
      store,
      pause,
      tell: (progress) => tell({ kind: 'progress', progress }),
    }),
  )
  return index
}

async function look(): Promise<void> {
  if (isLooking) return
  isLooking = true
  try {
    while (next !== undefined) {
      const { id, spaceIds } = next
      next = undefined
      await (await open()).look(spaceIds)
      tell({ kind: 'looked', id })
    }
  } finally {
    isLooking = false
  }
}

async function find(id: number, query: string): Promise<void> {
  asked = id
  const results = await (await open()).find(query, () => asked !== id)
  if (results !== undefined) tell({ kind: 'found', id, results })
}

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === 'look') next = data
  const done = data.kind === 'look' ? look() : find(data.id, data.query)
  done.catch((error: unknown) =>
    tell({ kind: 'failed', why: error instanceof Error ? error.message : String(error) }),
  )
})
