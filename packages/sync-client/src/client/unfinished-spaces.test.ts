import { spaceIdSchema, treeIdSchema, type TreeOperation } from '@t69/protocol'
import { describe, expect, it } from 'vitest'

import { memoryStorage, type ClientStorage, type StoredSpace } from '../storage/index.ts'
import { createUnfinishedSpaces } from './unfinished-spaces.ts'

const id = spaceIdSchema.parse('5a'.repeat(16))
const treeId = treeIdSchema.parse(id)
const op = {
  clock: 1,
  peerId: 'abcdefabcdef',
  treeId,
  spaceId: id,
  targetId: id,
  key: 'name',
  value: 'Notes',
}
const space: StoredSpace = { id, uri: `browser://${id}`, name: 'Notes', createdAt: new Date(0), userId: null }
const day = 24 * 60 * 60_000

/** Spaces that are made at `time`, over a storage of which the rest of the page makes what it likes. */
function setUp(storage: ClientStorage = memoryStorage()) {
  const clock = { time: 1_000 }
  const open = () => createUnfinishedSpaces(storage, { now: () => clock.time })
  const fill = () => storage.appendLocal(id, [op as unknown as TreeOperation])
  return { storage, clock, open, fill }
}

describe('A space that is being made', () => {
  it('is removed later if the page ends before it is whole, and not while another tab may be at it', async () => {
    const { storage, clock, open, fill } = setUp()
    let begun: () => void = () => {}
    const isFilled = new Promise<void>((resolve) => (begun = resolve))
    void open().make(
      id,
      () => fill().then(() => (begun(), new Promise(() => {}))),
      () => storage.putSpace(space),
    )
    await isFilled
    clock.time += day
    await open().removeOld()
    expect(await storage.listTrees(id)).toEqual([treeId])
    clock.time += 1
    await open().removeOld()
    expect(await storage.listTrees(id)).toEqual([])
  })

  it('is removed later if the storage fails when it is to be removed', async () => {
    const { storage, clock, open, fill } = setUp()
    const remove = storage.deleteSpace.bind(storage)
    storage.deleteSpace = () => Promise.reject(new Error('closed'))
    const made = open().make(
      id,
      () => fill().then(() => Promise.reject(new Error('no more trees'))),
      () => storage.putSpace(space),
    )
    await expect(made).rejects.toThrow('no more trees')
    storage.deleteSpace = remove
    clock.time += day + 1
    await open().removeOld()
    expect(await storage.listTrees(id)).toEqual([])
  })

  it('stays once it is whole, also if its note does', async () => {
    const { storage, clock, open, fill } = setUp()
    const write = storage.putConfig.bind(storage)
    await open().make(id, fill, async () => {
      await storage.putSpace(space)
      storage.putConfig = () => Promise.reject(new Error('full'))
    })
    storage.putConfig = write
    clock.time += day + 1
    await open().removeOld()
    expect(await storage.listTrees(id)).toEqual([treeId])
    expect(await storage.listSpaces()).toHaveLength(1)
  })

  it('does not lose its note to one that is made at the same time', async () => {
    const { storage, clock, open } = setUp()
    const other = spaceIdSchema.parse('5b'.repeat(16))
    const unfinished = open()
    const never = () => new Promise<void>(() => {})
    const append = (spaceId: typeof id) =>
      storage.appendLocal(spaceId, [{ ...op, spaceId } as unknown as TreeOperation])
    const filled = [id, other].map(
      (spaceId) =>
        new Promise<void>((resolve) => {
          void unfinished.make(spaceId, () => append(spaceId).then(resolve).then(never), never)
        }),
    )
    await Promise.all(filled)
    clock.time += day + 1
    await open().removeOld()
    expect([await storage.listTrees(id), await storage.listTrees(other)]).toEqual([[], []])
  })
})
