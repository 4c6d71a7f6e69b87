import type * as Y from 'yjs'

import type { Doc } from './peer.ts'

/** A Yjs document as one of the documents that are measured. */
export function docOf(
  ydoc: Y.Doc,
  name: string,
  connection: { acked(): Promise<void>; close(): Promise<void> },
): Doc {
  const texts = ydoc.getMap<string>('texts')
  return {
    name,
    set: (key, value) => void texts.set(key, value),
    delete: (key) => texts.delete(key),
    get: (key) => texts.get(key),
    size: () => texts.size,
    onChange: (listener) => texts.observe(listener),
    ...connection,
  }
}
