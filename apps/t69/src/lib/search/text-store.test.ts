import 'fake-indexeddb/auto'
import { expect, test } from 'vitest'

import { openTextStore, type TreeTexts } from './text-store.ts'

const texts = (treeId: string): TreeTexts => ({ spaceId: 's', treeId, state: '1', messages: [], chats: [] })

test('a worker that ended while it read a tree has tried it, until its texts are saved or it is removed', async () => {
  for (const tries of [1, 2]) {
    const store = await openTextStore()
    await store.noteReading(['s', 'small'])
    await store.noteReading(['s', 'huge'])
    const next = await openTextStore()
    expect(await next.loadTries()).toEqual([{ key: ['s', 'huge'], tries }])
    // What was found was counted.
    expect(await next.loadTries()).toEqual([{ key: ['s', 'huge'], tries }])
  }
  const store = await openTextStore()
  await store.noteReading(['s', 'gone'])
  await store.loadTries()
  await store.save([texts('huge'), texts('small')])
  expect(await store.loadTries()).toEqual([{ key: ['s', 'gone'], tries: 1 }])
  await store.remove([
    ['s', 'gone'],
    ['s', 'small'],
  ])
  await store.noteReading(['s', 'huge'])
  await store.noteReading(undefined)
  expect(await store.loadTries()).toEqual([])
  expect(await store.loadAll()).toEqual([texts('huge')])
})
