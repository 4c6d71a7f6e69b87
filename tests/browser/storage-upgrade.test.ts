import type { SpaceId, TreeId } from '@t69/protocol'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { readStore } from '../lib/local-db.ts'
import { openStorageLab, type StorageLab } from '../lib/storage-lab.ts'

let device: StorageLab

beforeAll(async () => {
  device = await openStorageLab()
})
afterAll(async () => {
  await device[Symbol.asyncDispose]()
})

describe('tabs of different versions on one localDb', () => {
  beforeEach(async () => {
    const page = await device.openPage()
    await page.evaluate(async () => {
      const request = indexedDB.deleteDatabase('localDb')
      await new Promise((resolve) => request.addEventListener('success', resolve))
    })
  })
  afterEach(async () => {
    for (const page of device.context.pages()) await page.close()
  })

  test('a June 2025 tab in use lets a new tab upgrade, and no edit of either is lost', async () => {
    const june = await device.openPage()
    const spaces = await june.evaluate(() => lab.seedT69V2())
    const { id, chats } = spaces[0]!
    const typing = await june.evaluateHandle(
      async ([spaceId, treeId]) => lab.typeOn(await lab.openJune2025(), spaceId, treeId, 1000),
      [id, chats[0]!.treeId] as const,
    )
    const typed = (count: number) =>
      june.waitForFunction(([{ stored }, wanted]) => stored.length >= wanted, [typing, count] as const)
    await typed(10)
    const page = await device.openPage()
    const storage = await page.evaluateHandle(() => lab.openIndexedDbStorage())
    const before = await typing.evaluate(({ stored }) => stored.length)
    // Dexie 4 opens a newer version than the one it declares, so the old tab continues in the new database.
    await typed(before + 10)
    const clocks = await typing.evaluate(async (running) => {
      await running.stop()
      return running.stored
    })

    expect(clocks.length).toBeGreaterThan(before)
    const seen = await storage.evaluate(
      async (opened, where) => {
        const trees = await Promise.all(
          where.map(async ({ spaceId, treeIds }) => {
            const ops = await Promise.all(treeIds.map((treeId) => opened.readTree(spaceId, treeId)))
            return ops.flat()
          }),
        )
        return { volatileReason: opened.volatileReason, trees }
      },
      spaces.map((space) => ({
        spaceId: space.id as SpaceId,
        treeIds: [space.id, ...space.chats.map((chat) => chat.treeId)] as TreeId[],
      })),
    )
    expect(seen.volatileReason).toBeNull()
    const fromJune = seen.trees.flat().filter((op) => op.peerId === 'june')
    expect(fromJune.map((op) => op.clock)).toEqual(clocks)
    for (const [index, space] of spaces.entries()) {
      const seeded = seen.trees[index]!.filter((op) => op.peerId !== 'june')
      expect(seeded).toHaveLength(space.operations)
      const texts = seeded.map((op) => op.value)
      for (const chat of space.chats) {
        expect(texts).toEqual(expect.arrayContaining(chat.messages.map(({ text }) => text)))
      }
    }
    const secrets = spaces.flatMap((space) =>
      Object.entries(space.secrets).map(([key, value]) => ({ spaceId: space.id, key, value })),
    )
    expect(await readStore(page, 'secrets')).toEqual(expect.arrayContaining(secrets))
    for (const { id: spaceId, drafts, theme, ttabsLayout } of spaces) {
      expect(await readStore(page, 'spaces')).toContainEqual(
        expect.objectContaining({ id: spaceId, drafts, theme, ttabsLayout }),
      )
    }
  })

  test('a tab that keeps the database open blocks a new one, which says so and continues once it is closed', async () => {
    const holder = await device.openPage()
    await holder.evaluate(async () => {
      await lab.seedT69V2()
      const request = indexedDB.open('localDb')
      await new Promise((resolve) => request.addEventListener('success', resolve))
    })
    const page = await device.openPage()
    const opening = await page.evaluateHandle(async () => {
      const blocked = Promise.withResolvers<void>()
      const storage = lab.openIndexedDbStorage({ onBlocked: blocked.resolve })
      await blocked.promise
      return { storage }
    })
    await holder.close()
    const spaces = await opening.evaluate(async ({ storage }) => (await storage).listSpaces())
    expect(new Set(spaces.map(({ name }) => name))).toEqual(new Set(['Home', 'Work']))
  })

  test('a tab of a later version can upgrade, and this one continues in the upgraded database', async () => {
    const page = await device.openPage()
    const storage = await page.evaluateHandle(async () => {
      const opened = await lab.openIndexedDbStorage()
      await opened.putSyncState(lab.spaceId, lab.following(0))
      await opened.appendLocal(lab.spaceId, lab.someOps({ count: 3 }))
      return opened
    })
    const later = await device.openPage()
    await later.evaluate(async () => {
      const request = indexedDB.open('localDb', 40)
      request.addEventListener('upgradeneeded', () => request.result.createObjectStore('later'))
      await new Promise((resolve) => request.addEventListener('success', resolve))
    })
    const kept = await storage.evaluate(async (opened) => {
      await opened.appendLocal(lab.spaceId, lab.someOps({ from: 4 }))
      const { length } = await opened.readTree(lab.spaceId, lab.chat)
      return { length, ...(await opened.countPending(lab.spaceId)) }
    })
    expect(kept).toEqual({ length: 4, pending: 4, rejected: 0 })
    const versions = await later.evaluate(async () => (await indexedDB.databases()).map((db) => db.version))
    expect(versions).toEqual([40])
  })
})
