import { HocuspocusProvider } from '@hocuspocus/provider'
import { IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'

import { measureIn } from './page.ts'

measureIn(async (name) => {
  const document = new Y.Doc()
  const texts = document.getMap<string>('texts')
  const stored = new IndexeddbPersistence(name, document)
  await stored.whenSynced
  void new HocuspocusProvider({ url: location.origin.replace('http', 'ws'), name, document })
  return {
    get: (key) => texts.get(key),
    size: () => texts.size,
    // It does not tell when it has written.
    stored: () => new Promise((resolve) => setTimeout(resolve, 2_000)),
  }
})
