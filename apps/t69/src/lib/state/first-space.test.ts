import 'fake-indexeddb/auto'
import { createSyncClient } from '@t69/sync-client'
import { expect, test, vi } from 'vitest'

import { anySpaceId, deleteBlankFirstSpace } from './first-space.ts'

const openTab = () => createSyncClient({ url: 'http://127.0.0.1:9', session: 'storage' })

test('several tabs that delete the blank first space at once delete it once', async () => {
  const tabs = [openTab(), openTab(), openTab()]
  const deletions = tabs.map((tab) => vi.spyOn(tab, 'deleteSpace'))
  const [first] = tabs
  await anySpaceId(first!, () => first!.listSpaces())

  await Promise.all(tabs.map((tab) => deleteBlankFirstSpace(tab, null)))
  expect(deletions.flatMap(({ mock }) => mock.calls)).toHaveLength(1)
  for (const tab of tabs) expect(await tab.listSpaces()).toEqual([])
  await Promise.all(tabs.map((tab) => tab.close()))
})
