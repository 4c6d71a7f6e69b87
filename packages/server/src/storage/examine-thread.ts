import { existsSync } from 'node:fs'

import { messageOf } from '@t69/protocol'

import { examineFile } from '../logs/examine-file.ts'

/** What reading a file found, as data: an exception loses its class on the way to another thread. */
export type Examined = { /** How long it took. */ readonly ms: number } & Finding

export type Finding =
  | { readonly result: 'sound' | 'gone' }
  | { readonly result: 'damaged' | 'failed'; readonly reason: string }

/** Reads all of a space's file, on the thread, and changes nothing. */
export default function examine(path: string): Examined {
  const begun = performance.now()
  const found = find(path)
  return { ...found, ms: performance.now() - begun }
}

function find(path: string): Finding {
  try {
    const reason = examineFile(path)
    return reason === undefined ? { result: 'sound' } : { result: 'damaged', reason }
  } catch (error) {
    // Its space was deleted.
    if (!existsSync(path)) return { result: 'gone' }
    return { result: 'failed', reason: messageOf(error) }
  }
}
