import type { Space, SyncClient } from '@t69/sync-client'
import type { JSHandle, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { openStorageLab, type StorageLab } from '../lib/storage-lab.ts'

/** How an app says which database is its own. */
type Way = 'option' | 'storage' | 'both' | 'neither'

function clientIn(page: Page, way: Way): Promise<JSHandle<SyncClient>> {
  return page.evaluateHandle(async (chosen) => {
    const name = `of ${chosen}`
    const client = lab.createSyncClient({
      url: location.origin,
      ...((chosen === 'option' || chosen === 'both') && { name }),
      ...((chosen === 'storage' || chosen === 'both') && {
        storage: await lab.openIndexedDbStorage({ name }),
      }),
    })
    await client.ready
    return client
  }, way)
}

const openIn = async (page: Page, way: Way, spaceId: string): Promise<JSHandle<Space>> =>
  (await clientIn(page, way)).evaluateHandle((client, id) => client.openSpace(id), spaceId)

describe.each<[string, Way]>([
  ['a name as an option', 'option'],
  ['a storage with a name', 'storage'],
  ['a name, and a storage of that name', 'both'],
  ["t69's own database", 'neither'],
])('Clients with %s', (_, way) => {
  let browser: StorageLab
  beforeAll(async () => {
    browser = await openStorageLab()
  })
  afterAll(async () => {
    await browser[Symbol.asyncDispose]()
  })

  test('hear of each other’s edits, and keep those that were made right before a reload', async () => {
    const page = await browser.openPage()
    const client = await clientIn(page, way)
    let here = await client.evaluateHandle((it) => it.createSpace({ name: 'Notes' }))
    const spaceId = await here.evaluate((space) => space.id)

    const there = await openIn(await browser.openPage(), way, spaceId)
    const heard = await there.evaluateHandle((space) => ({
      edit: new Promise<void>((resolve) => space.root.observeVertexMove(() => resolve())),
    }))
    await here.evaluate((space) => void space.root.root?.newNamedChild('heard'))
    await heard.evaluate(({ edit }) => edit)
    expect(await there.evaluate((space) => space.root.getVertexByPath('heard') !== undefined)).toBe(true)

    const rounds = 5
    for (let round = 0; round < rounds; round++) {
      const reloaded = page.waitForEvent('load')
      // The page may be gone before it has answered.
      await here
        .evaluate((space, name) => {
          space.root.root?.newNamedChild(name)
          location.reload()
        }, `edit ${round}`)
        .catch(() => {})
      await reloaded
      here = await openIn(page, way, spaceId)
    }
    const kept = await here.evaluate((space) => space.root.root?.children.map(({ name }) => name))
    expect(kept).toEqual(['heard', ...Array.from({ length: rounds }, (_each, round) => `edit ${round}`)])
  })
})

test('clients of different names on one origin know nothing of each other, and a wrong name is refused', async () => {
  await using browser = await openStorageLab()
  const page = await browser.openPage()
  const [one, other, own] = [
    await clientIn(page, 'option'),
    await clientIn(page, 'storage'),
    await clientIn(page, 'neither'),
  ]
  await one.evaluate((client) => client.createSpace({ name: 'Mine' }))
  const names = await Promise.all(
    [one, other, own].map((client) =>
      client.evaluate(async (it) => (await it.listSpaces()).map(({ name }) => name)),
    ),
  )
  expect(names).toEqual([['Mine'], [], []])
  const refusal = await page.evaluate(async () => {
    const storage = await lab.openIndexedDbStorage({ name: 'theirs' })
    const client = lab.createSyncClient({ url: location.origin, name: 'ours', storage })
    return client.ready.then(
      () => null,
      ({ code, message }: { code: string; message: string }) => ({ code, message }),
    )
  })
  expect(refusal).toEqual({
    code: 'invalid_request',
    message: 'name: the storage that is passed is named "theirs"',
  })
})
